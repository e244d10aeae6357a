"""The bilateral filter: sums over all pixels of a picture, weighted by how near they are in place and colour.

A_ij = exp(-|x_i - x_j|^2 / (2 sxy^2) - |rgb_i - rgb_j|^2 / (2 srgb^2)), j = i included. `exact` adds up all
pairs; `lattice` approximates (permutohedral.py). Equal inputs give equal bytes.
"""

from typing import Any, Literal, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from stages.common.permutohedral import Lattice

FAINT = -25.0  # the least exponent: subnormal numbers make a CPU many times slower
PAIRS = 1 << 17  # that are looked at together: they fit a core's cache
LAUNCHED = 1 << 24  # on a GPU

Method = Literal["lattice", "exact"]


class Kernel(Protocol):
    """A, or its transpose, times values [N, K]."""

    def __call__(self, values: Tensor, transposed: bool = False) -> Tensor: ...


def bilateral(
    values: Tensor, rgb: Tensor, inside: Tensor, sigma_xy: float, sigma_rgb: float, method: Method
) -> Tensor:
    """A times values [B, K, H, W]; pixels that are not `inside`, bool [B, H, W], take no part and get 0.

    `rgb` is [B, 3, H, W] in grey values, sigma_xy in pixels. Gradients flow to the values alone.
    """
    picture, y, x = inside.nonzero(as_tuple=True)
    if not len(picture):
        return torch.zeros_like(values)
    place = (picture * inside.shape[1] + y) * inside.shape[2] + x
    with torch.no_grad():
        where = torch.stack([x, y], 1).to(rgb.dtype) / sigma_xy
        features = torch.cat([where, _taken(rgb, place) / sigma_rgb], 1)
        kernel: Kernel = (Lattice if method == "lattice" else Exact)(features, picture)
    out: Tensor = _Filtered.apply(values, place, kernel)
    return out


class _Filtered(torch.autograd.Function):
    """A v; backwards, the transpose of A times the gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, place: Tensor, kernel: Kernel) -> Tensor:
        ctx.place, ctx.kernel = place, kernel
        return _applied(kernel, values, place, False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        return _applied(ctx.kernel, slope, ctx.place, True), None, None


def _applied(kernel: Kernel, maps: Tensor, place: Tensor, transposed: bool) -> Tensor:
    batch, channels, height, width = maps.shape
    with torch.autocast(maps.device.type, enabled=False):
        found = kernel(_taken(maps, place), transposed)
    out = found.new_zeros(batch * height * width, channels).index_copy_(0, place, found)
    return out.view(batch, height, width, channels).movedim(3, 1)


def _taken(maps: Tensor, place: Tensor) -> Tensor:
    """Of maps [B, K, H, W], the pixels at `place` of B * H * W, [N, K]."""
    return maps.movedim(1, 3).reshape(-1, maps.shape[1]).index_select(0, place)


class Exact:
    """All pairs of pixels of each picture, some rows at a time; in time that grows with their square."""

    def __init__(self, features: Tensor, owners: Tensor) -> None:
        """Of pixels float [N, D] in standard deviations, and the picture of each, int64 [N], which rises."""
        self.counts = owners.unique_consecutive(return_counts=True)[1].tolist()
        self.parts = features.split(self.counts)

    def __call__(self, values: Tensor, transposed: bool = False) -> Tensor:
        pairs = PAIRS if values.device.type == "cpu" else LAUNCHED
        return torch.cat([
            _pairs(rows, part).to(values.dtype) @ mine
            for part, mine in zip(self.parts, values.split(self.counts), strict=True)
            for rows in part.split(max(1, pairs // len(part)))
        ])  # fmt: skip


def _pairs(rows: Tensor, columns: Tensor) -> Tensor:
    """exp(-|f_i - f_j|^2 / 2), [R, N], of features [R, D] and [N, D]."""
    total = torch.zeros(len(rows), len(columns), dtype=rows.dtype, device=rows.device)
    for row, column in zip(rows.T, columns.T, strict=True):
        difference = row[:, None] - column
        total.addcmul_(difference, difference, value=-0.5)
    return total.clamp_(min=FAINT).exp_()
