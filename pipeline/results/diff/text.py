"""A comparison in a terminal, as markdown for a pull request, and as JSON for programs."""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.project.tables import markdown as markdown_table
from pipeline.project.words import escape
from pipeline.results import noise
from pipeline.results.diff import tables
from pipeline.results.diff.comparison import Diff, Number
from pipeline.results.diff.sides import Side
from pipeline.results.diff.tables import Cell, Grid
from stages.common.door import visible

WIDE = 200  # columns of a table that goes into a file
STYLES = {tables.GOOD: "green", tables.BAD: "red", tables.QUIET: "dim"}
CUT = "> **Note:** what would make the comment too long is left out: `wsss diff` shows it.\n"
LONG = 20  # parameters; more are folded up in markdown
EMPTY = "no difference"
MOST = 60_000  # characters of a comment: GitHub takes 65,536
NOTHING = "&#8203;"  # a space of no width
MARKS = {sign: f"\\{sign}" for sign in "\\`*_[]<>~!"} | {
    "@": f"@{NOTHING}", "#": f"\\#{NOTHING}", "$": "<span>$</span>", "&": "&amp;",
}  # fmt: skip


def show(diff: Diff) -> None:
    """Print the comparison as tables."""
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=WIDE)
    console.print(f"[bold]{escape(tables.title(diff.a))}[/] → [bold]{escape(tables.title(diff.b))}[/]")
    for note in diff.notes:
        console.print(f"[yellow]note:[/] {escape(note)}")
    if diff.is_empty:
        console.print(EMPTY)
        return
    for line in tables.where(diff):
        console.print(escape(line))
    for grid in (
        tables.params(diff),
        tables.ladder(diff),
        tables.boundary(diff),
        tables.classes(diff),
        tables.explanation(diff),
        tables.explained_classes(diff),
        tables.diagnosis(diff),
        tables.pictures(diff),
    ):
        if grid.rows:
            console.print()
            console.print(_table(grid))
            if grid.left_out:
                console.print(f"[dim]and {grid.left_out} more: --json has all, --html too[/]")
    for line in tables.moved(diff):
        console.print(f"\n{escape(line)}")
    for line in tables.rule((*diff.ladder, *diff.explanation, *diff.diagnosis)):
        console.print(f"\n[dim]{escape(line)}[/]")


def _table(grid: Grid) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column, name in enumerate(grid.header):
        made.add_column(escape(name), justify="right" if column >= grid.numbers else "left", overflow="fold")
    for row in grid.rows:
        made.add_row(*(Text(visible(cell.text), STYLES.get(cell.tone, "")) for cell in row))
    return made


def markdown(diff: Diff) -> str:
    """A comment of a pull request: the ladder first, long lists folded up."""
    names = [visible(tables.title(side)).replace("`", "'") for side in (diff.a, diff.b)]
    parts = [f"### `{names[0]}` → `{names[1]}`\n"]
    parts += [f"> **Note:** {_words(note)}\n" for note in diff.notes]
    if diff.is_empty:
        return "\n".join([*parts, f"{EMPTY.capitalize()}.\n"])
    parts += [_grid(tables.ladder(diff)), _grid(tables.explanation(diff))]
    parts += [*(f"{line}\n" for line in map(_words, tables.where(diff)))]
    params, classes = tables.params(diff), tables.classes(diff)
    parts.append(_grid(params) if len(params.rows) <= LONG else _folded("Parameters", params))
    parts += [f"{line}\n" for line in map(_words, tables.moved(diff))]
    parts += [_folded("Along the boundary", tables.boundary(diff))]
    parts += [_folded("Classes that changed most", classes)]
    parts += [_folded("Explanation metrics that changed most", tables.explained_classes(diff))]
    parts += [_folded("Diagnosis of the classifier", tables.diagnosis(diff))]
    parts += [_folded("Pictures", tables.pictures(diff))]
    parts += [
        f"<sub>{_words(line)}</sub>\n"
        for line in tables.rule((*diff.ladder, *diff.explanation, *diff.diagnosis))
    ]
    return "\n".join(_fitting(part for part in parts if part))


def _fitting(parts: Iterable[str]) -> list[str]:
    """The parts that a comment holds, and a word at its end where some are left out."""
    kept: list[str] = []
    cut, room = False, MOST
    for part in parts:
        if len(part) < room:
            room -= len(part) + 1
            kept.append(part)
        else:
            cut = True
    return [*kept, CUT] if cut else kept


def _grid(grid: Grid) -> str:
    rows = [[_strong(cell) for cell in row] for row in grid.rows]
    header = [_words(name) for name in grid.header]
    return markdown_table(header, rows, range(grid.numbers, len(header))) if rows else ""


def _strong(cell: Cell) -> str:
    """Changes that may count are bold."""
    is_loud = cell.value is not None and cell.tone in (tables.GOOD, tables.BAD)
    return f"**{_words(cell.text)}**" if is_loud else _words(cell.text)


def _folded(title: str, grid: Grid) -> str:
    more = f"\nand {grid.left_out} more\n" if grid.left_out else ""
    return f"<details><summary>{title}</summary>\n\n{_grid(grid)}{more}\n</details>\n" if grid.rows else ""


def _words(text: str) -> str:
    """Text that markdown shows as it is: names of classes hold anything. The bar is the table's affair.

    GitHub looks for mentions, numbers of issues and addresses behind all escapes: a space of
    no width parts them.
    """
    shown = "".join(MARKS.get(sign, sign) for sign in visible(text))
    return re.sub(r"(?i)\b(www|gh|https?|ftp|mailto|xmpp)(?=[.:-])", rf"\1{NOTHING}", shown)


def as_json(diff: Diff) -> str:
    """Everything, unrounded and not cut short."""
    values: dict[str, Any] = {
        "a": _side(diff.a),
        "b": _side(diff.b),
        "empty": diff.is_empty,
        "notes": diff.notes,
        "params": [{"key": key, "a": old, "b": new} for key, old, new in diff.params],
        "stages": [asdict(stage) | {"causes": stage.causes} for stage in diff.stages],
        "ladder": [_number(number, "metric") for number in diff.ladder],
        "boundary": [_number(number, "metric") for number in diff.boundary],
        "classes": [_number(number, "class") for number in diff.classes],
        "explanation": [_explained(number, "mean", "metric") for number in diff.explanation],
        "explained": [_explained(number, "metric", "class") for number in diff.explained],
        "diagnosis": [_diagnosed(number) for number in diff.diagnosis],
        "unscored": [asdict(found) for found in diff.unscored],
        "pictures": [asdict(found) | {"better": found.better} for found in diff.pictures],
        "rules": noise.RULES,
    }
    return json.dumps(values, indent=2, default=str)


def _side(side: Side) -> dict[str, Any]:
    runs = [{"name": run.name, "commit": run.commit} for run in side.runs.values()]
    return {"name": side.name, "runs": runs}


def _number(number: Number, what: str) -> dict[str, Any]:
    return {
        "rung": number.rung,
        what: number.what,
        **asdict(number.value),
        "verdict": number.value.verdict,
    }


def _explained(number: Number, rung: str, what: str) -> dict[str, Any]:
    """`rung` and `what` are the names of the first two."""
    found = _number(number, what)
    return {rung: found.pop("rung"), **found, "better": "high" if number.high else "low"}


def _diagnosed(number: Number) -> dict[str, Any]:
    """Of a layer or a method."""
    found = _number(number, "number")
    return {"of": found.pop("rung"), **found}
