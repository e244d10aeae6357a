"""Occlusion (ZEILER): how much the score falls when a patch is covered with the fill."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from stages.diagnosis.case import Case

Patch = tuple[slice, slice]


def relevance(case: Case) -> Tensor:
    """[H, W], of each pixel the mean over the patches that cover it."""
    height, width = case.picture.shape[1:]
    places = patches(height, width, case.occlusion.patch, case.occlusion.stride)
    picture, fill = case.picture.cpu().numpy(), case.fill.cpu().numpy()
    pictures = itertools.chain([picture], (covered(picture, place, fill) for place in places))
    found = case.scores(pictures)[:, case.target]
    total, times = np.zeros((2, height, width))
    for place, fall in zip(places, found[0] - found[1:], strict=True):
        total[place] += fall
        times[place] += 1
    return torch.from_numpy(total / times)


def patches(height: int, width: int, patch: int, stride: int) -> list[Patch]:
    """Squares that cover the picture, row by row; the last of a row and of a column are cut at the border."""
    return [
        (rows, columns) for rows in spans(height, patch, stride) for columns in spans(width, patch, stride)
    ]


def spans(side: int, patch: int, stride: int) -> Iterator[slice]:
    for place in range(max(0, math.ceil((side - patch) / stride)) + 1):
        yield slice(place * stride, min(place * stride + patch, side))


def covered(picture: np.ndarray, place: Patch, fill: np.ndarray) -> np.ndarray:
    """The picture [3, H, W] with a patch of the colour `fill` [3, 1, 1]."""
    found = picture.copy()
    found[:, *place] = fill
    return found
