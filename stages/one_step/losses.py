"""The losses of RRM's branches that segment (ZHANG 2.2.4); the energy is stages/common/dense_energy.py."""

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.common.artifacts import UNKNOWN


def cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Of scores [B, C + 1, H, W] and labels [B, H, W]: the means over the labelled background and over the
    labelled foreground, added; 0 for one of which there is no pixel (the published code has NaN).
    """
    costs = F.cross_entropy(scores.float(), labels, ignore_index=UNKNOWN, reduction="none")
    ground = labels == 0
    return mean(costs, ground) + mean(costs, ~ground & (labels != UNKNOWN))


def mean(values: Tensor, where: Tensor) -> Tensor:
    """Over the places that count; 0 where there is none."""
    return torch.where(where, values, 0).sum() / where.sum().clamp_min(1)


def class_distance(features: Tensor, predicted: Tensor, counted: Tensor, between: float) -> Tensor:
    """Centres lie apart, and features by their centre (BCD, ZHANG Eq. 2.22-2.26; a batch together).

    Of features [B, M, h, w], the predicted classes [B, h, w] and which cells count [B, h, w], bool. A class
    that is predicted has one centre, the background one in each picture. `between` times the mean of
    1 + cos over pairs of classes, and over pairs of a class and a background, and once the mean over the
    centres of the mean 1 - cos of their features. The gradient goes through the centres. As the published
    code, but for its constants for pictures without background; Eq. 2.26 has weights of 1, and means of cells
    alone.
    """
    values = features.float().movedim(1, 3)[counted]
    if not len(values):
        return values.sum()
    kinds, own, number = groups(predicted, counted).unique(return_inverse=True, return_counts=True)
    members = F.one_hot(own, len(kinds)).to(values.dtype)
    centres = F.normalize(members.T @ values / number[:, None], dim=1)
    within = members.T @ (1 - (F.normalize(values, dim=1) * (members @ centres)).sum(1)) / number
    classes, grounds = centres[kinds > 0], centres[kinds <= 0]
    apart = between * (_alike(classes @ classes.T, pairs=True) + _alike(classes @ grounds.T))
    return apart + within.mean()


def groups(predicted: Tensor, counted: Tensor) -> Tensor:
    """Of each cell that counts, int64 [N]: its class, or -b if it is background of the picture b."""
    picture = torch.arange(len(predicted), device=predicted.device)[:, None, None].expand_as(predicted)
    return torch.where(predicted > 0, predicted, -picture)[counted]


def _alike(cosines: Tensor, pairs: bool = False) -> Tensor:
    """The mean of 1 + cos; of `pairs` of one set without those of a centre and itself. 0 for none."""
    where = torch.ones_like(cosines, dtype=torch.bool)
    return mean(1 + cosines, where.fill_diagonal_(False) if pairs and len(cosines) else where)
