"""Episodes as the step `fold_masks` drew them, and what they show."""

import csv
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.common import fingerprint
from stages.common.artifacts import read_mask, read_picture
from stages.common.masks import MASKS
from stages.common.pictures import Picture
from stages.fold_masks.folds import Episode, any_mask, object_mask

FOLDS = Path("data/fold_masks")


class Asked(NamedTuple):
    """An episode with its pictures, RGB uint8 [H, W, 3], and masks uint8 [H, W] of 1, 0 and 255."""

    query: np.ndarray
    supports: list[np.ndarray]
    masks: list[np.ndarray]
    truth: np.ndarray
    objects: np.ndarray  # of the query, whatever their class


def read_episodes(fold: int, supports: int) -> list[Episode]:
    """With so many supports each. ValueError where there are fewer."""
    with (FOLDS / str(fold) / "novel" / "episodes.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.reader(lines))
    there = len(rows[0]) - 4
    if there < supports:
        raise ValueError(
            f"episodes.shots: {supports} supports are asked for, and fold_masks.supports is {there}: raise it"
        )
    return [
        Episode(int(row[0]), int(row[1]), int(row[2]), row[3], tuple(row[4 : 4 + supports]))
        for row in rows[1:]
    ]


@dataclass(frozen=True)
class Reading:
    """What an episode of a fold shows."""

    pictures: dict[str, Picture]
    fold: int

    def hashes(self, one: Episode) -> list[str]:
        """Of all files that make its result."""
        ids = (one.query, *one.supports)
        masks = [MASKS / f"{one.query}.png", *(self._mask(one, name) for name in one.supports)]
        return [self.pictures[name].content_hash() for name in ids] + [_hash(str(mask)) for mask in masks]

    def __call__(self, one: Episode) -> Asked:
        mask = read_mask(MASKS / f"{one.query}.png")
        return Asked(
            read_picture(self.pictures[one.query].path),
            [read_picture(self.pictures[name].path) for name in one.supports],
            [read_mask(self._mask(one, name)) for name in one.supports],
            object_mask(mask, one.label),
            any_mask(mask),
        )

    def _mask(self, one: Episode, name: str) -> Path:
        return FOLDS / str(self.fold) / "novel" / str(one.label) / f"{name}.png"


@functools.cache  # a picture is in many episodes
def _hash(file: str) -> str:
    return fingerprint.file_hash(Path(file))
