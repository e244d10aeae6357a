"""Maps of a batch of equal-sized pictures, summed over scales and flips (ZHANG Eq. 2.2-2.3)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.seeds.params import Seeds

Attribution = Callable[[Tensor], Tensor]
"""Pictures [B, 3, h, w] -> signed maps [B, K, h', w']."""


def multi_scale(attribution: Attribution, pictures: Tensor, params: Seeds, align: int) -> Tensor:
    """Normalised maps [B, K, h, w] on the layer's grid at scale 1.

    Inputs are resized to sides of n * align + 1 (align: the encoder's output stride): then the
    cells of a strided convolution with odd kernels lie on every align-th pixel, first and last
    included, and the maps grow back with aligned corners. Other sizes shift them by up to half a cell.
    """
    size = (pictures.shape[2], pictures.shape[3])
    grid: tuple[int, int] | None = None
    total: Tensor | None = None
    for scale in sorted(params.scales, key=lambda s: abs(s - 1)):  # nearest to 1 first: it sets the grid
        inputs = resize(pictures, fitting(size, scale, align))
        maps = oriented(attribution, inputs, params)
        if grid is None:
            longest, cells = max(inputs.shape[2:]), max(maps.shape[2:])
            stride = max(1, round((longest - 1) / (cells - 1) / scale)) if cells > 1 else align
            grid = (math.ceil(size[0] / stride), math.ceil(size[1] / stride))
        full = F.interpolate(maps, size, mode="bilinear", align_corners=True)
        total = full if total is None else total + full
    assert total is not None and grid is not None
    return normalise(F.interpolate(total, grid, mode="bilinear", align_corners=False), params.normaliser)


def oriented(attribution: Attribution, inputs: Tensor, params: Seeds) -> Tensor:
    """Sum over the flips asked for; negatives dropped from each (PSA, IRN) or kept (CHEN)."""
    maps = attribution(inputs).float()
    maps = maps.relu() if params.negatives == "drop" else maps
    if params.flip:
        mirrored = attribution(inputs.flip(3)).float().flip(3)
        maps = maps + (mirrored.relu() if params.negatives == "drop" else mirrored)
    return maps


def fitting(size: tuple[int, int], scale: float, align: int) -> tuple[int, int]:
    """The size nearest to scale * size whose sides are n * align + 1 (n >= 0)."""
    height, width = (max(0, round((side * scale - 1) / align)) * align + 1 for side in size)
    return height, width


def resize(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear with antialiasing, corners not aligned, as image libraries resize."""
    if tuple(pictures.shape[2:]) == size:
        return pictures
    return F.interpolate(pictures, size, mode="bilinear", align_corners=False, antialias=True)


def normalise(maps: Tensor, how: str) -> Tensor:
    """Each map [..., h, w] divided by its maximum, or min-max; a map without a positive is all zero."""
    top = maps.amax((-2, -1), keepdim=True)
    low = maps.amin((-2, -1), keepdim=True) if how == "min_max" else torch.zeros_like(top)
    return torch.where(
        top > 0, (maps - low) / (top - low).clamp_min(torch.finfo(maps.dtype).tiny), maps.clamp_max(0)
    )
