"""Pairs of near cells: which there are, how alike they are, and a loss that tells kinds of pairs apart.

A pair is a cell and the one that lies an offset (dy, dx) further, so each is there once. Whatever belongs to
pairs is [B, P, h, w]: the offset, and the place of the first cell.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from stages.common.artifacts import UNKNOWN

Offsets = list[tuple[int, int]]
LEAST = -25.0  # of an exponent: below, numbers get too small to be computed fast, and count for nothing


def square_offsets(radius: int) -> Offsets:
    """Half of the square |dy|, |dx| <= radius in cells, row by row; the other half is symmetric.

    60 for radius 5 (ZHANG 4.3). AffinityNet has half of a disc (stages/affinity/offsets.py).
    """
    reach = range(-radius, radius + 1)
    return [(dy, dx) for dy in range(radius + 1) for dx in reach if (dy, dx) > (0, 0)]


def pair_kinds(
    labels: Tensor, offsets: list[tuple[int, int]], inside: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Which pairs are P_fg+ (one foreground class), P_bg+ (both background), P- (different classes).

    Labels [B, h, w]; three masks [B, P, h, w]. Pairs with an unknown cell are in none.
    """
    height, width = labels.shape[1:]
    radius = max(abs(step) for offset in offsets for step in offset)
    wide = F.pad(labels, (radius, radius, 0, radius), value=UNKNOWN)
    other = torch.stack(
        [wide[:, dy : dy + height, radius + dx : radius + dx + width] for dy, dx in offsets], 1
    )
    own = labels[:, None]
    known = (own != UNKNOWN) & (other != UNKNOWN) & inside
    same = known & (own == other)
    return same & (own > 0), same & (own == 0), known & (own != other)


def affinity_loss(values: Tensor, kinds: tuple[Tensor, Tensor, Tensor]) -> dict[str, Tensor]:
    """L = L_fg+ + L_bg+ + 2 L-, each a mean over its own pairs; -log W and -log(1 - W).

    DAVID, "Pixel Semantic Affinity", Training; ZHANG 4.11. `values` [B, P, h, w] in (0, 1]. A kind without
    pairs contributes 0.
    """
    positive = -torch.log(values.clamp_min(1e-5))
    negative = -torch.log((1 - values).clamp_min(1e-5))
    foreground, background, different = kinds
    parts = {
        "foreground": _mean(positive, foreground),
        "background": _mean(positive, background),
        "different": _mean(negative, different),
    }
    return {"loss": parts["foreground"] + parts["background"] + 2 * parts["different"], **parts}


def _mean(values: Tensor, where: Tensor) -> Tensor:
    return (values * where).sum() / where.sum().clamp_min(1)


def both(inside: Tensor, offsets: Offsets) -> Tensor:
    """Whether both cells of a pair are inside, bool [B, P, h, w], of bool [B, h, w]."""
    found = inside.new_zeros(inside.shape[0], len(offsets), *inside.shape[1:])
    for at, (own, other) in enumerate(windows(inside.shape[1], inside.shape[2], offsets)):
        found[(slice(None), at, *own)] = inside[(..., *own)] & inside[(..., *other)]
    return found


def gaussian(rgb: Tensor, offsets: Offsets, sigma_xy: float, sigma_rgb: float) -> Tensor:
    """exp(-|x_i - x_j|^2 / 2 sigma_xy^2 - |rgb_i - rgb_j|^2 / 2 sigma_rgb^2) (ZHANG 4.13), [B, P, h, w].

    `rgb` [B, 3, h, w] in grey values, without a gradient; places in cells. 0 where there is no second cell.
    """
    found = rgb.new_zeros(rgb.shape[0], len(offsets), *rgb.shape[2:])
    for at, (own, other) in enumerate(windows(rgb.shape[2], rgb.shape[3], offsets)):
        far = sum(step * step for step in offsets[at]) / (2 * sigma_xy**2)
        unlike = (rgb[(..., *own)] - rgb[(..., *other)]).square().sum(1) / (2 * sigma_rgb**2)
        found[(slice(None), at, *own)] = (-far - unlike).clamp_min(LEAST).exp()
    return found


def gaussian_of(squared: Tensor, sigma: float) -> Tensor:
    """exp(-d^2 / 2 sigma^2) of squared distances."""
    return (squared / (-2 * sigma**2)).clamp_min(LEAST).exp()


def disagreement(probabilities: Tensor, kernel: Tensor, offsets: Offsets) -> Tensor:
    """The sum over the pairs of K_ij (1 - <p_i, p_j>) (ZHANG 4.5), each pair once; a scalar.

    `probabilities` [B, C, h, w], `kernel` [B, P, h, w] without a gradient.
    """
    return kernel.sum() - _Agreement.apply(probabilities, kernel, offsets)


def per_cell(total: Tensor, inside: Tensor) -> Tensor:
    """Of a sum that has each pair once: the mean over the cells inside of what each has with all others."""
    return 2 * total / inside.sum().clamp_min(1)


def distances(features: Tensor, offsets: Offsets) -> tuple[Tensor, Tensor]:
    """Of features [B, D, h, w]: |f_i - f_j|_1 / D, and |f_i - f_j|_2^2, which has no gradient; [B, P, h, w].

    0 where there is no second cell.
    """
    mean, squared = _Distances.apply(features.permute(0, 2, 3, 1), offsets)
    return mean, squared


class _Agreement(torch.autograd.Function):
    """The sum of K_ij <p_i, p_j>, whose slope at p_i is the sum of K_ij p_j. Autograd alone would add up a
    gradient as large as all of p for each offset, twice."""

    @staticmethod
    def forward(ctx: Any, p: Tensor, kernel: Tensor, offsets: Offsets) -> Tensor:
        near = torch.zeros_like(p)  # the sum over the pairs of i of K_ij p_j
        for at, (own, other) in enumerate(windows(p.shape[2], p.shape[3], offsets)):
            weight = kernel[(slice(None), at, *own)][:, None]
            near[(..., *own)] += weight * p[(..., *other)]
            near[(..., *other)] += weight * p[(..., *own)]
        ctx.save_for_backward(near)
        return (p * near).sum() / 2

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        return slope * ctx.saved_tensors[0], None, None


class _Distances(torch.autograd.Function):
    """Of features [B, h, w, D]. Autograd alone would keep the differences, P times what the features take."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, offsets: Offsets) -> tuple[Tensor, Tensor]:
        features = features.contiguous()
        batch, height, width, channels = features.shape
        mean = features.new_zeros(batch, len(offsets), height, width)
        squared = torch.zeros_like(mean)
        places = windows(height, width, offsets)
        for f, apart, square in zip(*map(_shares, (features, mean, squared)), strict=True):
            for at, (own, other) in enumerate(places):
                difference = f[(slice(None), *own)] - f[(slice(None), *other)]
                place = (slice(None), at, *own)
                square[place] = torch.linalg.vecdot(difference, difference)
                apart[place] = difference.abs_().sum(3) / channels
        ctx.save_for_backward(features)
        ctx.offsets = offsets
        ctx.mark_non_differentiable(squared)
        return mean, squared

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor, _: Tensor) -> tuple[Tensor, None]:
        (features,) = ctx.saved_tensors
        found = torch.zeros_like(features)
        places = windows(features.shape[1], features.shape[2], ctx.offsets)
        for f, by_pair, sums in zip(*map(_shares, (features, slope, found)), strict=True):
            for at, (own, other) in enumerate(places):
                first, second = (slice(None), *own), (slice(None), *other)
                sign = (f[first] - f[second]).sign_()
                weight = by_pair[(slice(None), at, *own)][..., None]
                sums[first].addcmul_(sign, weight)
                sums[second].addcmul_(sign, weight, value=-1)
        return found / features.shape[3], None


def _shares(batch: Tensor) -> tuple[Tensor, ...]:
    """On a CPU picture by picture: the differences of one stay in its cache, which is twice as fast."""
    return batch.split(1 if batch.device.type == "cpu" else len(batch))


Window = tuple[slice, slice]


def windows(height: int, width: int, offsets: Offsets) -> list[tuple[Window, Window]]:
    """Rows and columns of the first cells of each offset's pairs, and of the second ones."""
    return [
        (
            (slice(0, max(height - dy, 0)), slice(max(-dx, 0), max(width - max(dx, 0), 0))),
            (slice(dy, height), slice(max(dx, 0), max(width + min(dx, 0), 0))),
        )
        for dy, dx in offsets
    ]
