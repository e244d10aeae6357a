"""Small tables: CSV as rows by column name, and markdown for pages that others render."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Table = list[dict[str, str]]


def parse_csv(text: str) -> Table:
    """The rows of a table's text; none of an empty one. Names are as `as_text` was given them."""
    return [
        {_plain(column): _plain(cell) for column, cell in row.items()}
        for row in csv.DictReader(io.StringIO(text))
    ]


def _plain(cell: Any) -> Any:
    from stages.common.artifacts import from_text  # only now: it comes with numpy, and help is instant

    return from_text(cell) if isinstance(cell, str) else cell  # of a damaged table: none, or several


def read_csv(path: Path) -> Table:
    """The rows of a table; none if it is not there."""
    try:
        return parse_csv(path.read_text())
    except FileNotFoundError:
        return []


def show(title: str, rows: Sequence[Mapping[str, str]], words: Sequence[str] = ()) -> None:
    """Print rows by column name; columns but the first and `words` hold numbers, set to the right."""
    from rich.console import Console
    from rich.table import Table as Drawn

    from pipeline.project.words import escape

    drawn = Drawn(title=escape(title))
    for place, column in enumerate(rows[0] if rows else ()):
        right = place > 0 and column not in words
        drawn.add_column(escape(column.replace("_", " ")), justify="right" if right else "left")
    for row in rows:
        drawn.add_row(*map(escape, row.values()))
    Console().print(drawn)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table whose columns `right` hold numbers."""
    rule = ["--:" if column in right else "---" for column in range(len(header))]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in (header, rule, *rows))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
