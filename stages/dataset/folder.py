"""Somebody's own pictures: images/, labels.csv, and optionally masks/ and classes.txt."""

import csv
import io
from pathlib import Path

from stages.dataset.params import Dataset
from stages.dataset.records import Record, Source, read_classes, read_text

COLUMNS = ("file", "split", "labels")


def read(root: Path, params: Dataset) -> Source:
    """The set at `root`. A picture's identifier is its path in images/ without suffix, / as __."""
    rows = _rows(root / "labels.csv")
    named = root / "classes.txt"
    masks = root / "masks"
    if named.is_file():
        classes = read_classes(named)
    elif params.truth != "none" and masks.is_dir():
        raise ValueError(f"{named} is missing: with masks it must name their indices, one class per line")
    else:
        classes = sorted({label for _, row in rows for label in _split(row["labels"])} - {"background"})
    source = Source(classes, [])
    splits = {params.train: "train", params.val: "val"}
    for line, row in rows:
        if row["split"] not in splits:
            wanted = f"{params.train} or {params.val}"
            source.problems.append((f"labels.csv:{line}", f"split is {row['split']!r}, not {wanted}"))
            continue
        file = row["file"]
        stem = file.rpartition(".")[0] or file
        identifier = stem if _unsafe(file) else stem.replace("/", "__")
        mask = None if params.truth == "none" else masks / f"{identifier}.png"
        labels = tuple(dict.fromkeys(_split(row["labels"])))
        source.records.append(Record(identifier, root / "images" / file, splits[row["split"]], labels, mask))
    return source


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Each row and the number of its line. ValueError for one with more cells than there are columns."""
    if not path.is_file():
        raise ValueError(f"{path} is missing: it needs the columns {','.join(COLUMNS)}")
    reader = csv.DictReader(io.StringIO(read_text(path)), skipinitialspace=True, strict=True)
    try:
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise ValueError(f"{path}: not CSV after line {reader.line_num}: {error}") from None
    if missing:
        raise ValueError(f"{path} lacks the column(s) {', '.join(missing)}; it needs {','.join(COLUMNS)}")
    if crowded := [str(line) for line, row in rows if None in row]:
        where = ", ".join(crowded[:5])
        raise ValueError(f"{path}: more cells than columns in line {where}; labels are separated by ';'")
    return [(line, {name: (row[name] or "").strip() for name in COLUMNS}) for line, row in rows]


def _split(labels: str) -> list[str]:
    return [label.strip() for label in labels.split(";") if label.strip()]


def _unsafe(file: str) -> bool:
    return file.startswith("/") or "\\" in file or ".." in file.split("/")
