"""Somebody's own annotations beside images/ and labels.csv: boxes.csv, points.csv, or scribbles/*.png.

All pixels are from 0. A box ends before the column `right` and the row `bottom`. A point may be of the class
background. A scribble is a mask named as its picture's would be: class, 0 on background, 255 elsewhere.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from stages.common.annotations import BOX_COLUMNS, POINT_COLUMNS
from stages.dataset.drawn import Drawn, DrawnBox, DrawnPoint, identifiers, number
from stages.dataset.files import Finder
from stages.dataset.labels import clean
from stages.dataset.records import Record, Source, read_text

Row = tuple[str, str, int, str, list[float]]  # where, picture, object, class, numbers


def boxes(root: Path, train: list[Record], source: Source) -> Drawn:
    drawn = Drawn()
    for where, identifier, place, name, sides in _rows(root / "boxes.csv", BOX_COLUMNS, train, source, drawn):
        left, top, right, bottom = sides
        written = ",".join(f"{side:g}" for side in sides)
        box = DrawnBox(place, name, (left, top, right, bottom), where, written)
        drawn.boxes.setdefault(identifier, []).append(box)
    return drawn


def points(root: Path, train: list[Record], source: Source) -> Drawn:
    drawn = Drawn()
    for where, identifier, place, name, (x, y) in _rows(
        root / "points.csv", POINT_COLUMNS, train, source, drawn
    ):
        drawn.points.setdefault(identifier, []).append(DrawnPoint(place, name, (x, y), where))
    return drawn


def scribbles(root: Path, train: list[Record], source: Source) -> Drawn:
    folder, drawn = root / "scribbles", Drawn()
    if not folder.is_dir():
        raise ValueError(f"{folder} is missing: dataset.annotations scribbles needs ID.png in it")
    finder = Finder(folder)
    for record in train:
        if found := finder.find(f"{record.id}.png"):
            drawn.files[record.id] = folder / found[0]
    return drawn


def _rows(
    path: Path, columns: tuple[str, ...], train: list[Record], source: Source, drawn: Drawn
) -> Iterator[Row]:
    """The rows of pictures of train; what is wrong with one goes to `drawn`. ValueError for no such table."""
    reader = csv.reader(io.StringIO(read_text(path)), skipinitialspace=True)
    header = [clean(name).lower() for name in next(reader, [])]
    needed = [name for name in columns if name not in ("id", "object")]
    lacking = [name for name in needed if name not in header]
    if lacking or not {"id", "file"} & set(header):
        raise ValueError(
            f"{path} lacks the column(s) {', '.join(lacking or ['id'])}; it needs {','.join(columns)} "
            "(object may be left out), separated by commas"
        )
    known = identifiers(train, source.pictures)
    others = identifiers([record for record in source.records if record.split != "train"], source.pictures)
    count: Counter[str] = Counter()
    for row in reader:
        where = f"{path}:{reader.line_num}"
        cells = dict(zip(header, (cell.strip() for cell in row), strict=False))
        picture = cells.get("id") or cells.get("file") or ""
        if not any(cells.values()) or picture in others:
            continue
        if picture not in known:
            if not source.partial:  # else it may be one of what could not be read
                text = f"{picture!r} is no picture of the set: write its name as in labels.csv"
                drawn.problems.append((where, text))
            continue
        count[known[picture]] += 1
        try:
            place = int(_number(cells, "object")) if cells.get("object") else count[known[picture]]
            numbers = [_number(cells, name) for name in needed if name != "class"]
            yield where, known[picture], place, clean(cells.get("class", "")), numbers
        except ValueError as error:
            drawn.problems.append((where, str(error)))
            drawn.tell(known[picture], clean(cells.get("class", "")))


def _number(cells: dict[str, str], name: str) -> float:
    try:
        return number(cells.get(name))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
