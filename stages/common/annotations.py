"""What people drew on the pictures of train, as the step `dataset` writes it: boxes, points or scribbles.

`data/annotations` is always there: of `none` it is `about.json` alone, with constant bytes.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.common.annotations_params import Kind
from stages.common.artifacts import read_json, read_mask

ROOT = Path("data/annotations")
BOX_COLUMNS = ("id", "object", "class", "left", "top", "right", "bottom")
POINT_COLUMNS = ("id", "object", "class", "x", "y")


@dataclass(frozen=True)
class Box:
    """Pixels left to right - 1 and top to bottom - 1, from 0; `label` is a class index, 1..C."""

    object: int
    label: int
    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class Point:
    """A pixel, from 0; `label` is a class index, 1..C, or 0 for a point of the background."""

    object: int
    label: int
    x: int
    y: int


@dataclass(frozen=True)
class Annotations:
    """Of the pictures of train, by identifier. `marks` reads ID.png of the kinds MARKED."""

    kind: Kind
    boxes: dict[str, list[Box]]
    points: dict[str, list[Point]]
    root: Path

    def marks(self, identifier: str) -> np.ndarray:
        """Class indices, uint8 [H, W]: 0 is a stroke on background, 255 is where nobody drew."""
        return read_mask(self.root / f"{identifier}.png")


def load_annotations(classes: tuple[str, ...], root: Path = ROOT) -> Annotations:
    """Of `classes` with "background" first, as `Pictures.classes` is.

    ValueError where the step `dataset` has not been run.
    """
    if not (root / "about.json").is_file():
        raise ValueError(f"{root} is missing or not whole: `wsss run dataset` makes it")
    kind: Kind = read_json(root / "about.json")["kind"]
    number = {name: index for index, name in enumerate(classes)}
    boxes = _rows(root / "boxes.csv", number, Box, BOX_COLUMNS[3:]) if kind == "boxes" else {}
    points = _rows(root / "points.csv", number, Point, POINT_COLUMNS[3:]) if kind == "points" else {}
    return Annotations(kind, boxes, points, root)


def _rows(
    file: Path, number: dict[str, int], made: Callable[..., Any], sides: tuple[str, ...]
) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    with file.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            values = (int(row[side]) for side in sides)
            found.setdefault(row["id"], []).append(made(int(row["object"]), number[row["class"]], *values))
    return found
