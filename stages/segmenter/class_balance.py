"""How much the pixels of each class weigh in a loss; the classes are counted on what is trained on."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stages.common.artifacts import UNKNOWN
from stages.segmenter.loss_params import Balance

COUNTED = ("inverse", "median")  # need the counts


class Counts(NamedTuple):
    """By class: its pixels, and all known pixels of the pictures that hold it; int64 [C]."""

    pixels: np.ndarray
    held: np.ndarray


def count(masks: Iterable[np.ndarray], classes: int) -> Counts:
    """Of masks uint8 [H, W]; pixels of 255 never count. ValueError for a label that is no class."""
    pixels, held = np.zeros(classes, np.int64), np.zeros(classes, np.int64)
    for mask in masks:
        found = np.bincount(mask[mask != UNKNOWN], minlength=classes)
        if len(found) > classes:
            raise ValueError(f"a mask has the label {len(found) - 1}, and there are {classes} classes")
        pixels += found
        held += np.where(found > 0, found.sum(), 0)
    return Counts(pixels, held)


def class_weights(balance: str, counts: Counts) -> list[float]:
    """The weight of each class [C]; a class that never occurs weighs 0.

    inverse: N / (C' n_c) with C' classes that occur, so that the pixels weigh 1 in the mean. median: the
    median of all f over f_c = n_c / the pixels of the pictures that hold c (SegNet's median frequency).
    """
    n = counts.pixels.astype(float)
    there = n > 0
    weights = np.zeros(len(n))
    if balance == "inverse":
        weights[there] = n.sum() / (there.sum() * n[there])
    else:
        shares = n[there] / counts.held[there]
        weights[there] = np.median(shares) / shares if there.any() else 0
    return weights.tolist()


def pixel_weights(labels: Tensor, balance: Balance, weights: Tensor | None) -> Tensor:
    """What each pixel weighs, float32 [B, H, W], of labels [B, H, W] and class weights [C] (None: all 1).

    sides: foreground and background are averaged apart and halved, of the N known pixels of the batch
    N / 2n of its side's n (AdvCAM's balanced cross-entropy). Unknown pixels weigh what comes: mask them.
    """
    if balance == "sides":
        known, ground = labels != UNKNOWN, labels == 0
        number = known.sum()
        of_ground = number / (2 * ground.sum()).clamp_min(1)
        of_rest = number / (2 * (known & ~ground).sum()).clamp_min(1)
        return torch.where(ground, of_ground, of_rest)
    if weights is None:
        return torch.ones_like(labels, dtype=torch.float32)
    return weights.to(labels.device)[torch.where(labels == UNKNOWN, 0, labels)]


def average(costs: Tensor, labels: Tensor) -> Tensor:
    """The sum of costs [B, H, W] over the known pixels, by their number N; 0 where there is none.

    By N also where pixels weigh (FGV): torch's `weight=` divides by the weights' sum.
    """
    known = labels != UNKNOWN
    return torch.where(known, costs, 0).sum() / known.sum().clamp_min(1)
