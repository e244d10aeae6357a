"""Cells that the classifier takes for the same things belong together: nothing is trained.

An affinity is 1 - the Jensen-Shannon divergence of what two places are taken for, as in CDAM and CD-CLIP.
There places are CLIP's patches, and what one is taken for is a softmax over the texts of all classes; here it
is one over the classifier's own class maps and a background, so any classifier does. CD-CLIP refines maps by
all pairs of patches; here near pairs alone count, and the walk follows them.
"""

import functools
import math

import torch
from torch import Tensor

from stages.affinity.offsets import of_pairs
from stages.affinity.params import Affinity
from stages.classifier.network import ClassifierNet
from stages.common.pairs import Offsets
from stages.seeds.grid import Grid, grid_of
from stages.seeds.layers import LAST
from stages.seeds.multi_scale import cells_of, fitting, reading, resize


def maps(network: ClassifierNet, pictures: Tensor, params: Affinity, offsets: Offsets) -> dict[str, Tensor]:
    """Affinities [B, P, h, w] of normalised pictures [B, 3, H, W], a cell for each `grid_stride` pixels."""
    options = params.class_distribution
    assert options is not None  # the schema sees to it
    height, width = cells_of((pictures.shape[2], pictures.shape[3]), Grid(params.grid_stride, 0.0))
    scores = on_grid(network, pictures, (height, width))
    shares = distributions(scores, options.temperature, options.background)
    return {"maps": of_pairs(shares, offsets, agreement)}


def on_grid(network: ClassifierNet, pictures: Tensor, cells: tuple[int, int]) -> Tensor:
    """The signed maps of all classes, [B, C, *cells], read between the classifier's cells where these lie."""
    grid = own_grid(network)
    fitted = resize(pictures, fitting((pictures.shape[2], pictures.shape[3]), 1.0, grid))
    found: Tensor = network(fitted, maps=True)[1]
    rows = reading(cells[0], fitted.shape[2], found.shape[2], grid).to(found)
    columns = reading(cells[1], fitted.shape[3], found.shape[3], grid).to(found)
    return rows @ found @ columns.T


@functools.lru_cache(maxsize=1)
def own_grid(network: ClassifierNet) -> Grid:
    """Found by a pass of a small picture, so once for a network."""
    return grid_of(network, LAST)


def distributions(scores: Tensor, temperature: float, background: float | None) -> Tensor:
    """What each cell is taken for: a softmax over the background and all classes, [B, C + 1, h, w], sum 1.

    Of scores [B, C, h, w]. Without a score of the `background` over the classes alone, [B, C, h, w].
    """
    if background is not None:
        scores = torch.cat([torch.full_like(scores[:, :1], background), scores], 1)
    return (scores / temperature).softmax(1)


def agreement(p: Tensor, q: Tensor) -> Tensor:
    """1 - the Jensen-Shannon divergence in bits, of shares [B, C, h, w]: 1 of equal, 0 of disjoint ones."""
    apart = entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2
    return (1 - apart).clamp(0, 1)


def entropy(p: Tensor) -> Tensor:
    """In bits, over the classes: [B, h, w] of [B, C, h, w]."""
    return -torch.xlogy(p, p).sum(1) / math.log(2)
