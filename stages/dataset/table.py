"""labels.csv as people's programs write it: one row per picture, under the names file, split, labels."""

import csv
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path

from stages.dataset.labels import clean
from stages.dataset.layouts import looks_like
from stages.dataset.records import read_text

COLUMNS = ("file", "split", "labels")
LIKELY = {
    "file": ("filename", "file_name", "image", "img", "path", "picture", "name", "id", "image_id"),
    "split": ("set", "subset", "fold", "partition", "usage"),
    "labels": ("label", "class", "classes", "category", "categories", "tags", "tag"),
}
FLAGS = {"0", "1", "0.0", "1.0", "true", "false", ""}


@dataclass(frozen=True)
class Table:
    """The rows with the number of their lines, and the sign between the columns."""

    rows: list[tuple[int, dict[str, str]]]
    separator: str


def read_table(path: Path) -> Table:
    """The table. ValueError saying what to change if it is not one of the three columns."""
    if not os.path.lexists(path):
        raise ValueError(f"{path} is missing: {looks_like(path.parent)}")
    text = read_text(path)
    first, skip = text.lstrip("\n").partition("\n")[0], 0
    separator = ""
    if told := re.fullmatch(r'"?sep=(.)"?', first.strip()):  # Excel's own line
        separator, skip = told[1], 1
        first = text.partition("\n")[2].partition("\n")[0]
    separator = separator or max(",;\t|", key=lambda sign: _known(first, sign))
    lines = io.StringIO(text.partition("\n")[2] if skip else text)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    last, rows = skip, []
    try:
        for row in reader:
            last = reader.line_num + skip
            if any(cell.strip() for cell in row):
                rows.append((last, row))
    except csv.Error as error:
        raise ValueError(f"{path}: not CSV after line {last}: {error}") from None
    header = [clean(name).lower() for name in rows[0][1]] if rows else []
    read = f", sep={separator!r}" + ", skiprows=1" * skip
    _check_header(path, header, [row for _, row in rows[1:]], read)
    _check_width(path, len(header), rows[1:], separator)
    places = {name: header.index(name) for name in COLUMNS}
    return Table(
        [
            (line, {name: row[at].strip() if at < len(row) else "" for name, at in places.items()})
            for line, row in rows[1:]
        ],
        separator,
    )


def _known(line: str, separator: str) -> tuple[int, int]:
    """How many of the three columns the first line names with this sign between them, and its cells."""
    names = [clean(name.strip().strip('"')).lower() for name in line.split(separator)]
    return sum(name in COLUMNS for name in names) if len(names) > 1 else 0, len(names)


def _program(read: str, lines: str) -> str:
    """A command that changes the table in its folder: every cell stays text."""
    write = f"t.to_csv('labels.csv', index=False{read.partition(', skiprows')[0]})"
    table = f"t = pd.read_csv('labels.csv'{read}, dtype=str, keep_default_na=False, skipinitialspace=True)"
    return f'  python -c "import pandas as pd; {table}; {lines}; {write}"'


def _check_header(path: Path, header: list[str], rows: list[list[str]], read: str) -> None:
    if double := [name for name in COLUMNS if header.count(name) > 1]:
        raise ValueError(f"{path}: column {double[0]} is there twice: keep one")
    missing = [name for name in COLUMNS if name not in header]
    if not missing:
        return
    lacks = f"{path} lacks the column(s) {', '.join(missing)}; it needs {','.join(COLUMNS)}"
    if not set(header) & {*COLUMNS, *(other for others in LIKELY.values() for other in others)}:
        lacks += f"; its first line is {','.join(header)[:80]!r}, which names no column"
    hints = []
    for name in missing:
        if like := next((other for other in LIKELY[name] if other in header), ""):
            hints.append(f"rename {like!r} to {name!r}")
        elif name == "split":
            draw = (
                "t = t.sample(frac=1, random_state=0); "
                "t['split'] = ['val' if i % 5 == 0 else 'train' for i in range(len(t))]"
            )
            hints.append(
                f"write train or val for each picture, or draw a fifth as val:\n{_program(read, draw)}"
            )
    if "labels" in missing and (flags := _flags(header, rows)):
        hints.append(_convert(header, flags, read))
    raise ValueError("; ".join([lacks, *hints]))


def _flags(header: list[str], rows: list[list[str]]) -> list[int]:
    """The columns of a one-hot table: all cells are 0 or 1, and there are two such columns or more."""
    found = [
        at for at, name in enumerate(header)
        if name not in COLUMNS and any(row[at].strip() for row in rows if at < len(row))
        and all(at < len(row) and row[at].strip().lower() in FLAGS for row in rows)
    ]  # fmt: skip
    return found if len(found) > 1 else []


def _convert(header: list[str], flags: list[int], read: str) -> str:
    names = ", ".join(header[at] for at in flags[:3])
    lines = (
        f"c = t.columns[{flags}]; no = ('', '0', '0.0', 'false'); "
        "t['labels'] = [';'.join(n for n in c if r[n].lower() not in no) for _, r in t.iterrows()]; "
        "t = t.drop(columns=c)"
    )
    return (
        f"the columns {names}{', ...' if len(flags) > 3 else ''} hold 0 and 1, one per class: write "
        f"their names into one column, in the folder of the table:\n{_program(read, lines)}"
    )


def _check_width(path: Path, width: int, rows: list[tuple[int, list[str]]], separator: str) -> None:
    crowded = [str(line) for line, row in rows if any(cell.strip() for cell in row[width:])]
    if crowded:
        where = ", ".join(crowded[:5]) + (f" and {len(crowded) - 5} more" if len(crowded) > 5 else "")
        labels = "';'" if separator != ";" else "',', as the columns are by ';'"
        raise ValueError(f"{path}: more cells than columns in line {where}; labels are separated by {labels}")
