"""The canonical data set, as the stage `dataset` writes it and every later stage reads it."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.common.artifacts import UNKNOWN, read_json, read_picture
from stages.common.fingerprint import file_hash

ROOT = Path("data/dataset")
INDEX_COLUMNS = ("id", "file", "split", "width", "height", "labels", "sha256")


@dataclass(frozen=True)
class Picture:
    """One row of index.csv. `labels` are class indices, 1..C (0 is background)."""

    id: str
    path: Path
    split: str
    width: int
    height: int
    labels: tuple[int, ...]
    sha256: str = ""  # of the file; "" in an index of an older version

    def content_hash(self) -> str:
        """The sha256 of the file, for keys of what is made from it: the index has it, so no file is read."""
        return self.sha256 or file_hash(self.path)


class Loaded(NamedTuple):
    """A picture and its content, RGB uint8 [H, W, 3]."""

    picture: Picture
    pixels: np.ndarray


def loaded(picture: Picture) -> Loaded:
    return Loaded(picture, read_picture(picture.path))


@dataclass(frozen=True)
class Pictures:
    """All pictures, and the class names with "background" first."""

    classes: tuple[str, ...]
    all: tuple[Picture, ...]

    def split(self, name: str) -> list[Picture]:
        return [picture for picture in self.all if picture.split == name]


def load_pictures(root: Path = ROOT) -> Pictures:
    """Read index.csv and classes.json; pictures in the order of the index (by split, then id).

    ValueError where the step `dataset` has not been run, or the classes are more than a mask can hold.
    """
    if not (root / "classes.json").is_file() or not (root / "index.csv").is_file():
        raise ValueError(f"{root} is missing or not whole: `wsss run dataset` makes it")
    classes = tuple(read_json(root / "classes.json"))
    if len(classes) > UNKNOWN:
        raise ValueError(f"{root}: {len(classes) - 1} classes; at most {UNKNOWN - 1} are possible")
    number = {name: index for index, name in enumerate(classes)}
    with (root / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return Pictures(
        classes,
        tuple(
            Picture(
                row["id"],
                root / "images" / row["file"],
                row["split"],
                int(row["width"]),
                int(row["height"]),
                tuple(sorted(number[name] for name in row["labels"].split(";") if name)),
                row.get("sha256") or "",
            )
            for row in rows
        ),
    )
