"""The maps of trained networks, of a batch of equal-sized pictures."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.networks.padding import scores
from stages.saliency.network import SaliencyNet
from stages.seeds.grid import Grid
from stages.seeds.multi_scale import fitting, normalise, reading, resize

QUARTER = 4  # pixels: the cells of the second network's maps


def signed(network: SaliencyNet, pictures: Tensor, grid: Grid) -> Tensor:
    """z [B, h, w] at scale 1, as it left the training; h = ceil(H / stride)."""
    return _on_grid(lambda x: network(x)[1], pictures, 1.0, grid)


def salient(
    network: SaliencyNet, sign: int, pictures: Tensor, scales: list[float], flip: bool, grid: Grid
) -> Tensor:
    """Maps [B, h, w] in 0..1: the sum of ReLU(sign z) over scales and flips, over its maximum."""

    def positive(x: Tensor) -> Tensor:
        found = (sign * network(x)[1]).relu()
        return found + (sign * network(x.flip(3))[1]).relu().flip(2) if flip else found

    total = torch.zeros((), device=pictures.device)
    for scale in scales:
        total = total + _on_grid(positive, pictures, scale, grid)
    return normalise(total, "max")


def _on_grid(values: Callable[[Tensor], Tensor], pictures: Tensor, scale: float, grid: Grid) -> Tensor:
    """Values [B, h', w'] of the scaled pictures, read at the centres of the cells at scale 1 (as seeds)."""
    size = (pictures.shape[2], pictures.shape[3])
    scaled = resize(pictures, fitting(size, scale, grid))
    found = values(scaled)
    height, width = (math.ceil(side / grid.stride) for side in size)
    rows = reading(height, scaled.shape[2], found.shape[1], grid).to(found)
    columns = reading(width, scaled.shape[3], found.shape[2], grid).to(found)
    return rows @ found @ columns.T


def refined(network: nn.Module, pictures: Tensor, flip: bool) -> Tensor:
    """Maps [B, ceil(H / 4), ceil(W / 4)] in 0..1 of the second network, the mean over the flips."""
    found = scores(network, pictures).float().sigmoid()
    if flip:
        found = (found + scores(network, pictures.flip(3)).float().sigmoid().flip(3)) / 2
    height, width = (math.ceil(side / QUARTER) for side in pictures.shape[2:])
    return F.adaptive_avg_pool2d(found, (height, width))[:, 0]
