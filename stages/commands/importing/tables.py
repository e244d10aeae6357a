"""CSV tables of a source, and words that stand for a picture or a split in them."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.commands.importing.places import split_word
from stages.dataset.labels import Cells, clean
from stages.dataset.records import read_text
from stages.dataset.table import LIKELY

Rows = list[tuple[int, list[str]]]


@dataclass(frozen=True)
class Table:
    """The names of the columns as they are written, and the rows with the numbers of their lines."""

    path: Path
    header: list[str]
    rows: Rows

    def column(self, meaning: str) -> int | None:
        """The place of the column `file`, `split` or `labels`, under any of its likely names."""
        plain = [name.lower() for name in self.header]
        return next((plain.index(name) for name in (meaning, *LIKELY[meaning]) if name in plain), None)


def read_csv(path: Path) -> Table:
    """ValueError saying what is wrong: no text, no CSV, a row that is longer or shorter than the first."""
    text = read_text(path)
    first = text.lstrip("\n").partition("\n")[0]
    separator = max(",;\t|", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True, strict=True)
    rows: Rows = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((reader.line_num, [cell.strip() for cell in row]))
    except csv.Error as error:
        raise ValueError(f"{path}: not CSV after line {reader.line_num}: {error}") from None
    if not rows:
        raise ValueError(f"{path} is empty")
    header = [clean(name) for name in rows[0][1]]
    if double := [name for name in header if header.count(name) > 1]:
        raise ValueError(f"{path}: the column {double[0]!r} is there twice")
    if odd := [str(line) for line, row in rows[1:] if len(row) != len(header)]:
        raise ValueError(
            f"{path}: line {', '.join(odd[:5])} has not the {len(header)} cells of the first line"
        )
    return Table(path, header, rows[1:])


@dataclass(frozen=True)
class Row:
    """A picture as labels.csv names it. `split` is empty where the table has no such column."""

    line: int
    file: str
    split: str
    labels: tuple[str, ...]
    problem: str = ""


def labelled(path: Path, classes: Sequence[str] | None) -> list[Row]:
    """The rows of a table with the columns file, labels and, if there is one, split."""
    table = read_csv(path)
    file, labels, split = (table.column(name) for name in ("file", "labels", "split"))
    if file is None or labels is None:
        raise ValueError(f"{path}: its first line is {','.join(table.header)[:80]!r}, needed is file,labels")
    cells = Cells((row[labels] for _, row in table.rows), list(classes) if classes else None, False)
    found = []
    for line, row in table.rows:
        names, problem = cells.split(row[labels])
        word = row[split] if split is not None else ""
        known = split_word(word)
        if word and not known:
            problem = problem or f"split is {word!r}, neither train nor val"
        found.append(Row(line, row[file], known, names, problem))
    return found
