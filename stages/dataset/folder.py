"""Somebody's own pictures: images/, labels.csv, and optionally masks/ and classes.txt."""

import csv
from pathlib import Path

from stages.dataset.params import Dataset
from stages.dataset.records import Record, Source, read_classes

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
        classes = sorted({label for row in rows for label in _split(row["labels"])} - {"background"})
    source = Source(classes, [])
    splits = {params.train: "train", params.val: "val"}
    for number, row in enumerate(rows, 2):
        if row["split"] not in splits:
            wanted = f"{params.train} or {params.val}"
            source.problems.append((f"labels.csv:{number}", f"split is {row['split']!r}, not {wanted}"))
            continue
        file = row["file"]
        stem = file.rpartition(".")[0] or file
        identifier = stem if _unsafe(file) else stem.replace("/", "__")
        mask = None if params.truth == "none" else masks / f"{identifier}.png"
        labels = tuple(dict.fromkeys(_split(row["labels"])))
        source.records.append(Record(identifier, root / "images" / file, splits[row["split"]], labels, mask))
    return source


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise ValueError(f"{path} is missing: it needs the columns {','.join(COLUMNS)}")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{path} lacks the column(s) {', '.join(missing)}; it needs {','.join(COLUMNS)}")
        return [{name: (row[name] or "").strip() for name in COLUMNS} for row in reader]


def _split(labels: str) -> list[str]:
    return [label.strip() for label in labels.split(";") if label.strip()]


def _unsafe(file: str) -> bool:
    return file.startswith("/") or "\\" in file or ".." in file.split("/")
