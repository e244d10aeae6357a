"""Soft Dice loss (FGV "Dice"; CHEN 2.4), plain, as a logarithm, or log-cosh (Jadon, 2020)."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.common.artifacts import UNKNOWN
from stages.segmenter.loss_params import Dice
from stages.segmenter.losses import Extra
from stages.segmenter.losses.cross_entropy import plain
from stages.segmenter.structure import onehot


def loss(scores: Tensor, labels: Tensor, options: Dice, extra: Extra) -> Tensor:
    """Of Dice D_c = 2 sum p y / (sum p + sum y) of the batch's known pixels: the mean of 1 - D_c (plain) or
    -log D_c (log), or log cosh of the plain mean; and `ce` times the cross-entropy.

    The mean is over the classes that the batch holds. The library's is over all, and an absent one costs
    nothing there, so that with 2 of 21 classes a useless result costs next to nothing.
    """
    dice = coefficients(scores, labels)
    there = torch.isfinite(dice)
    parts = -torch.where(there, dice, 1).log() if options.form == "log" else 1 - torch.where(there, dice, 1)
    mean = parts.sum() / there.sum().clamp_min(1)
    if options.form == "log_cosh":  # log cosh x = x + log(1 + exp(-2x)) - log 2, for any x
        mean = mean + F.softplus(-2 * mean) - math.log(2)
    return mean + options.ce * plain(scores, labels)


def coefficients(scores: Tensor, labels: Tensor) -> Tensor:
    """Soft Dice of each class over the known pixels of the whole batch, float32 [C]; inf if it is absent."""
    truth, found = onehot(labels, scores.shape[1]), scores.float().softmax(1)
    known = found * (labels != UNKNOWN)[:, None]
    both, each, there = (x.sum((0, 2, 3)) for x in (found * truth, known + truth, truth))
    dice = 2 * both / each.clamp_min(torch.finfo(each.dtype).tiny)
    return torch.where(there > 0, dice.clamp_min(1e-7), torch.inf)
