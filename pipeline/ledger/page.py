"""The ledger as files in reports/ledger: a page, ledger.csv for programs, summary.md for people."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.ledger import picture, record, systems
from pipeline.ledger.numbers import Cost
from pipeline.ledger.table import Line, Score, Table, labels
from pipeline.project import tables
from pipeline.project.root import write_whole
from pipeline.project.words import clock
from pipeline.results import noise, pages
from pipeline.results.scores import text
from stages.common.artifacts import as_text

GIB = 2**30
LEGEND = (
    "In brackets the change against the plain row with the same seeds: `noise` where the seeds may explain"
    " it, `?` where one seed alone cannot tell; not against the plain row's mean, which may be of more seeds."
    " Minutes are of all stages that lead to a row's numbers, with other runs beside: a size, no more."
)
COLUMNS = (
    "set", "kind", "row", "score", "mean", "deviation", "seeds", "change", "margin", "verdict", "minutes",
    "own_minutes", "memory_gib", "published", "published_source", "state", "again",
)  # fmt: skip
SYSTEM = ["system", "defined in", "row", "file", "keys", "result", "minutes", "its own"]


def folder(root: Path) -> Path:
    return root / "reports" / "ledger"


def write(root: Path, table: Table) -> Path:
    """The three files of a set; the page of `demo` is index.html, of others SET.html."""
    place = folder(root)
    place.mkdir(parents=True, exist_ok=True)
    first = table.name == "demo"
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows([COLUMNS, *_rows(table)])
    write_whole(place / ("ledger.csv" if first else f"{table.name}.csv"), lines.getvalue())
    write_whole(place / ("summary.md" if first else f"{table.name}.md"), to_markdown(table))
    page = place / ("index.html" if first else f"{table.name}.html")
    write_whole(page, render(table))
    return page


def keep(root: Path, table: Table) -> Path:
    """The summary beside the record, for those who read it where git is shown."""
    place = record.path(root, table.name).with_suffix(".md")
    write_whole(place, to_markdown(table))
    return place


def render(table: Table) -> str:
    return pages.render(
        "ledger.html",
        table=table,
        about=about(table),
        best=picture.inline(table),
        kinds=[(kind, lines, _columns(table, lines)) for kind, lines in table.kinds.items()],
        plain_labels=labels([table.plain]),
        changes=lambda line: systems.changes(table, line.row),
        systems=systems.standings(table),
        clock=clock,
        gib=GIB,
        noise=noise,
    )


def about(table: Table) -> str:
    finished = sum(line.finished for line in table.lines)
    runs = sum(line.runs for line in table.lines)
    kept = [machine for line in table.lines for machine in line.kept_on]
    many = "all" if len(kept) == finished else f"{len(kept)} of them"
    where = f"{many} as ledger/{table.name}.jsonl has them, made on {' and '.join(dict.fromkeys(kept))}"
    earlier = sum(line.earlier for line in table.lines)
    changed = f", {earlier} of them by code that has changed since" if earlier else ""
    lacking = f" No row can be run on this machine: {'; '.join(table.lacking)}." if table.lacking else ""
    return (
        f"{len(table.lines)} rows with {table.over} on {table.title}, commit {table.revision[:10]}:"
        f" {finished} of {runs} runs are finished{f', {where}' if kept else ''}{changed}."
        " Percent, mean ± standard deviation over the seeds; what is not known is left empty."
        f"{lacking}"
    )


def _columns(table: Table, lines: Sequence[Line]) -> list[str]:
    """The scores of a kind's lines in the plain line's order, one that it lacks behind what it follows."""
    order = list(table.plain.scores)
    for line in lines:
        scores = list(line.scores)
        for before, label in zip([None, *scores], scores, strict=False):
            if label not in order:
                order.insert(order.index(before) + 1 if before else len(order), label)
    found = labels(lines)
    return [label for label in order if label in found]


def to_markdown(table: Table) -> str:
    """A table for each kind, the plain row first."""
    parts = [f"# Ledger of {table.name}\n\n{about(table)}\n\n{LEGEND}\n"]
    for kind, lines in table.kinds.items():
        columns = _columns(table, lines)
        header = ["row", "", *columns, "minutes", "memory, GiB", "published", "state"]
        compared = [table.plain] if {*columns} & {*table.plain.scores} else []
        rows = [_cells(line, columns) for line in [*compared, *lines]]
        parts.append(f"## {kind}\n\n{tables.markdown(header, rows, range(2, len(columns) + 4))}")
    if table.systems:
        parts.append(f"## The documents' systems\n\n{tables.markdown(SYSTEM, list(_systems(table)), [6, 7])}")
    return "\n".join(parts)


def _systems(table: Table) -> Iterator[list[str]]:
    """A line per row; a system is named in its first."""
    for one in systems.standings(table):
        for index, part in enumerate(one.parts):
            name = [one.name, one.source] if index == 0 else ["", ""]
            cost = part.line.cost if part.line else Cost(None, None, None)
            own = None if part.line is table.plain else cost.own
            costs = [_minutes(cost.seconds), _minutes(own)]
            yield [*name, part.row.name, part.file, part.keys, "; ".join(part.results), *costs]


def _cells(line: Line, columns: Sequence[str]) -> list[str]:
    cells = [
        f"{line.scores[label].text}{systems.said(line.scores[label].change)}" if label in line.scores else ""
        for label in columns
    ]
    published = f"{line.row.published.value} ({line.row.published.source})" if line.row.published else ""
    costs = [_minutes(line.cost.seconds), _memory(line)]
    return [line.row.name, line.row.title, *cells, *costs, published, line.state]


def _minutes(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds / 60:.1f}"


def _memory(line: Line) -> str:
    return "" if line.cost.memory is None else f"{line.cost.memory / GIB:.2f}"


def _rows(table: Table) -> Iterator[list[str]]:
    """A row per score; of a line without any, one."""
    for line in table.lines:
        published = line.row.published
        tail = [
            _minutes(line.cost.seconds), _minutes(line.cost.own), _memory(line),
            as_text(published.value if published else ""), as_text(published.source if published else ""),
            as_text(line.state), table.again(line),
        ]  # fmt: skip
        for label, score in line.scores.items() or [("", None)]:
            yield [table.name, line.kind, line.row.name, as_text(label), *_numbers(score), *tail]


def _numbers(score: Score | None) -> list[str]:
    if score is None:
        return [""] * 6
    deviation, change = score.deviation, score.change
    compared = ["", "", ""]
    if change:
        margin = "" if change.margin is None else text(change.margin)
        compared = [text(change.change), margin, change.verdict]
    return [
        text(score.mean),
        "" if deviation is None else text(deviation),
        str(len(score.by_seed)),
        *compared,
    ]
