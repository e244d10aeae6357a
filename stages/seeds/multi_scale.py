"""Maps of a batch of equal-sized pictures, summed over scales and flips (ZHANG Eq. 2.2-2.3)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.seeds.grid import Grid
from stages.seeds.params import Seeds

Attribution = Callable[[Tensor], Tensor]
"""Pictures [B, 3, h, w] -> signed maps [B, K, h', w']."""


def multi_scale(
    attribution: Attribution, pictures: Tensor, params: Seeds, inputs: Grid, cells: Grid
) -> Tensor:
    """Normalised maps [B, K, h, w] on the layer's grid at scale 1: h = ceil(H / stride).

    Pictures are resized to sides that fit the grid `inputs`: then cells lie alike at both ends, and those of
    a mirrored picture on those of the picture. The maps have the grid `cells`, and are read where it lies.
    """
    size = (pictures.shape[2], pictures.shape[3])
    height, width = cells_of(size, cells)
    total = torch.zeros((), device=pictures.device)
    for scale in params.scales:
        scaled = resize(pictures, fitting(size, scale, inputs))
        maps = oriented(attribution, scaled, params)
        rows = reading(height, scaled.shape[2], maps.shape[2], cells).to(maps)
        columns = reading(width, scaled.shape[3], maps.shape[3], cells).to(maps)
        total = total + rows @ maps @ columns.T
    return normalise(total, params.normaliser)


def cells_of(size: tuple[int, int], cells: Grid) -> tuple[int, int]:
    """Rows and columns of a map of a picture of so many pixels."""
    height, width = (math.ceil(side / cells.stride) for side in size)
    return height, width


def oriented(attribution: Attribution, inputs: Tensor, params: Seeds) -> Tensor:
    """Sum over the flips asked for; negatives dropped from each (PSA, IRN) or kept (CHEN)."""
    maps = attribution(inputs).float()
    maps = maps.relu() if params.negatives == "drop" else maps
    if params.flip:
        mirrored = attribution(inputs.flip(3)).float().flip(3)
        maps = maps + (mirrored.relu() if params.negatives == "drop" else mirrored)
    return maps


def fitting(size: tuple[int, int], scale: float, grid: Grid) -> tuple[int, int]:
    """The size nearest to scale * size of which the grid's first and last cell are as far from the borders.

    Sides are n * stride + 2 * offset + 1 (n >= 0): n * stride + 1 where the offset is 0, multiples of the
    stride where it is (stride - 1) / 2.
    """
    least = round(2 * grid.offset) + 1
    height, width = (
        max(0, round((side * scale - least) / grid.stride)) * grid.stride + least for side in size
    )
    return height, width


def reading(places: int, side: int, count: int, cells: Grid) -> Tensor:
    """Weights [places, count] that read a row of cells at the centres of `places` equal parts of the picture.

    Linear between two cells; beyond the first and the last their values. `side` is the picture's, in pixels.
    """
    pixels = (torch.arange(places) + 0.5) * (side / places) - 0.5
    where = ((pixels - cells.offset) / cells.stride).clamp(0, count - 1)
    return (1 - (where[:, None] - torch.arange(count)).abs()).clamp_min(0)


def resize(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear with antialiasing, corners not aligned, as image libraries resize."""
    if tuple(pictures.shape[2:]) == size:
        return pictures
    return F.interpolate(pictures, size, mode="bilinear", align_corners=False, antialias=True)


def normalise(maps: Tensor, how: str) -> Tensor:
    """Each map [..., h, w] divided by its maximum, or min-max; a map without a positive stays as it is."""
    top = maps.amax((-2, -1), keepdim=True)
    low = maps.amin((-2, -1), keepdim=True) if how == "min_max" else torch.zeros_like(top)
    return torch.where(top > 0, (maps - low) / (top - low).clamp_min(torch.finfo(maps.dtype).tiny), maps)
