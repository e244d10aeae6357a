"""Class maps at several scales."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from stages.seeds.grid import Grid
from stages.seeds.multi_scale import fitting, reading, resize


def class_maps(maps: Callable[[Tensor], Tensor], pictures: Tensor, scales: list[float], grid: Grid) -> Tensor:
    """The mean over the scales of the positive class maps, [B, C, h, w] (ZHANG Eq. 2.1-2.2).

    `maps` gives signed ones of pictures [B, 3, H, W]. As the seeds, they are read at the centres of the cells
    at scale 1, whose number is h = ceil(H / stride).
    """
    size = (pictures.shape[2], pictures.shape[3])
    height, width = (math.ceil(side / grid.stride) for side in size)
    total = torch.zeros((), device=pictures.device)
    for scale in scales:
        scaled = resize(pictures, fitting(size, scale, grid))
        found = maps(scaled).float().relu()
        rows = reading(height, scaled.shape[2], found.shape[2], grid).to(found)
        columns = reading(width, scaled.shape[3], found.shape[3], grid).to(found)
        total = total + rows @ found @ columns.T
    return total / len(scales)
