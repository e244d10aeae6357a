"""Pairs of pictures of one class: a support with its mask, and a query."""

import csv
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from stages.common.artifacts import UNKNOWN
from stages.common.pictures import Picture
from stages.common.training.augment import augment
from stages.common.training.samples import PictureSamples
from stages.few_shot.params import FewShot
from stages.fold_masks.folds import object_mask

TRIES = 10  # views of a picture, until one shows the object
KERNEL = 5  # pixels a side of the blur


class PairSamples(PictureSamples):
    """(support, its mask, query, its mask): float32 [3, crop, crop], int64 [crop, crop] of 1, 0 and 255.

    Each picture is the query once an epoch; its class and its support are drawn.
    """

    def __init__(
        self, pictures: list[Picture], classes: list[tuple[int, ...]], params: FewShot, masks: Path
    ) -> None:
        super().__init__(pictures, params, masks)
        self.classes, self.rotate, self.blur = classes, params.rotate, params.blur
        self.showing: dict[int, list[int]] = {}
        for index, shown in enumerate(classes):
            for label in shown:
                self.showing.setdefault(label, []).append(index)

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
        shown = self.classes[index]
        label = shown[int(rng.integers(len(shown)))]
        others = [other for other in self.showing[label] if other != index]
        support = others[int(rng.integers(len(others)))]
        return (*self.of_class(support, label, rng), *self.of_class(index, label, rng))

    def of_class(self, index: int, label: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """A random view of a picture, which shows the class if one of a few does."""
        picture, mask = self._read(index)
        assert mask is not None
        mask = object_mask(mask, label)
        for _ in range(TRIES):
            view, seen = self._seen(picture, mask, rng)
            if (seen == 1).any():
                break
        view = blurred(view, self.blur, rng)
        return self._normalised(view), torch.from_numpy(seen.astype(np.int64))

    def _seen(
        self, picture: np.ndarray, mask: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        turned = rotated(picture, mask, self.rotate, self.fill, rng)
        view, seen = augment(*turned, self.params.augment, self.fill, rng)
        assert seen is not None
        return view, seen


def rotated(
    picture: np.ndarray, mask: np.ndarray, most: float, fill: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Turned about its middle by up to `most` degrees; what comes in from outside is `fill`, and void."""
    if not most:
        return picture, mask
    height, width = mask.shape
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), rng.uniform(-most, most), 1)
    size, colour = (width, height), fill.tolist()
    moved = cv2.warpAffine(picture, turn, size, flags=cv2.INTER_LINEAR, borderValue=colour)
    labels = cv2.warpAffine(mask, turn, size, flags=cv2.INTER_NEAREST, borderValue=UNKNOWN)
    return moved, labels


def blurred(picture: np.ndarray, probability: float, rng: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(picture, (KERNEL, KERNEL), 0) if rng.random() < probability else picture


def read_base(folder: Path, train: list[Picture]) -> tuple[list[Picture], list[tuple[int, ...]]]:
    """The pictures that a fold's `base` has masks of, with the classes that each shows."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        shown = {row["id"]: tuple(map(int, row["classes"].split(";"))) for row in csv.DictReader(file)}
    pictures = [picture for picture in train if picture.id in shown]
    return pictures, [shown[picture.id] for picture in pictures]
