"""A CSV with a column per class, of 0 and 1; or folders with such tables, as Roboflow's _classes.csv.

Columns are the file, the split if there is one, and classes. One without any 0 or 1 is left out, and said.
"""

from collections.abc import Iterable
from pathlib import Path

from stages.commands.importing.found import BACKGROUND, Asked, Found, Names, Pictured
from stages.commands.importing.places import split_word
from stages.commands.importing.tables import Table, read_csv

ON, OFF = ("1", "1.0", "true"), ("0", "0.0", "false")


def read(asked: Asked) -> Found:
    found = Found()
    first: Table | None = None
    names: Names | None = None
    for path, whole in _tables(asked.path):
        if whole == "test":
            found.remarks.append((str(path), "is of the split test: left out"))
            continue
        table = read_csv(path)
        file, split = table.column("file"), table.column("split")
        if file is None:
            raise ValueError(
                f"{path}: its first line is {','.join(table.header)[:80]!r}: no column is the file"
            )
        columns = _columns(table, {file, split}, found)
        if not columns:
            raise ValueError(f"{path}: no column holds 0 and 1, one per class")
        own = [table.header[at] for at in columns]
        if first is None or names is None:
            first, names = table, Names(asked, found, path.name, own)
        elif (names.listed or []) != [names.use(name, str(path)) for name in own]:
            found.problems.append((str(path), f"its classes differ from those of {first.path}"))
        used = [names.use(name, str(path)) for name in own]
        _rows(table, columns, used, file, split, whole, asked, found)
    if names is None:
        raise ValueError(f"{asked.path}: no CSV is there")
    names.finish()
    return found


def _tables(path: Path) -> Iterable[tuple[Path, str]]:
    """Each table, and the split of its folder."""
    if path.is_file():
        return [(path, "")]
    files = sorted(path.rglob("_classes.csv"))
    if not files and len(files := sorted(path.glob("*.csv"))) != 1:
        raise ValueError(f"{path} has {len(files)} CSV files: give the one that is meant as PATH")
    return [(file, split_word(file.parent.name) if file.parent != path else "") for file in files]


def _columns(table: Table, others: set[int | None], found: Found) -> list[int]:
    """The places of the classes' columns."""
    columns = []
    for at, name in enumerate(table.header):
        if at in others:
            continue
        cells = {row[at].lower() for _, row in table.rows}
        if cells & {*ON, *OFF}:
            columns.append(at)
        else:
            found.remarks.append((str(table.path), f"the column {name!r} holds no 0 or 1: left out"))
    return columns


def _rows(
    table: Table,
    columns: list[int],
    names: list[str],
    file: int,
    split: int | None,
    whole: str,
    asked: Asked,
    found: Found,
) -> None:
    beside = asked.places.base((row[file] for _, row in table.rows), table.path.parent)
    for line, row in table.rows:
        where = f"{table.path}:{line}"
        said = split_word(row[split]) if split is not None else whole
        odd = [f"{table.header[at]} is {row[at]!r}" for at in columns if row[at].lower() not in (*ON, *OFF)]
        if odd:
            found.problems.append((where, f"{', '.join(odd[:3])}, neither 0 nor 1"))
        if split is not None and row[split] and not said:
            found.problems.append((where, f"split is {row[split]!r}, neither train nor val"))
        if said == "test":
            found.remarks.append((where, "is of the split test: left out"))
            continue
        try:
            picture = Pictured(asked.places.find(row[file], beside, said), where, said)
        except ValueError as error:
            found.problems.append((where, str(error)))
            continue
        shown = {name for at, name in zip(columns, names, strict=True) if row[at].lower() in ON}
        picture.labels = shown - {BACKGROUND, ""}
        found.pictures.append(picture)
