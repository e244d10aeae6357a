"""A picture of which is shown what each step made of it, and how that is drawn and scored.

IoU is in percent, the mean over the classes that occur in the picture or in the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stages.common.drawing import sheet
from stages.common.pictures import Picture
from stages.evaluation import metrics


@dataclass(frozen=True)
class Tile:
    """A drawing, RGB uint8 [H, W, 3], and what it shows."""

    title: str
    drawing: np.ndarray
    iou: float | None = None


@dataclass(frozen=True)
class Step:
    """What one step left, or `absent`: why there is nothing. `iou` is of what the next step gets."""

    name: str
    about: str = ""
    tiles: list[Tile] = field(default_factory=list)
    iou: float | None = None
    absent: str = ""


@dataclass(frozen=True)
class Case:
    """The picture, RGB uint8 [H, W, 3], and its truth, uint8 [H, W], if there is one."""

    picture: Picture
    rgb: np.ndarray
    truth: np.ndarray | None
    classes: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        return self.picture.height, self.picture.width

    def missing(self, file: Path, step: str, split: str = "train") -> str:
        """Why this picture has no result of a step, "" if it has one."""
        if self.picture.split != split:
            return f"made of the {split} split only, this picture is of {self.picture.split}"
        return "" if file.is_file() else f"{file} is missing: `wsss run {step}` makes it"

    def iou(self, labels: np.ndarray) -> float | None:
        if self.truth is None:
            return None
        table = metrics.confusion(self.truth, labels, len(self.classes))
        return 100 * float(metrics.means(table)["miou"]) if table.any() else None

    def labelled(self, title: str, labels: np.ndarray) -> Tile:
        return Tile(title, sheet.overlay(self.rgb, labels), self.iou(labels))

    def step(
        self, name: str, about: str, labels: np.ndarray, before: Sequence[Tile] = (), title: str = "labels"
    ) -> Step:
        """A step whose result is `labels`: the tiles `before`, the labels, and where they are wrong."""
        tiles = [*before, self.labelled(title, labels)]
        if self.truth is not None:
            tiles.append(Tile("errors", sheet.errors(self.rgb, self.truth, labels)))
        return Step(name, about, tiles, self.iou(labels))
