"""A picture as a graph: its nodes are cells of the affinity grid, its edges affinities (ZHANG 3.3.3)."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.affinity.network import AffinityNet, affinities
from stages.common.pairs import Offsets

LEAST = 1e-3  # of an edge: an affinity that is no higher is none (ZHANG 3.14)
MOST = 16_384  # nodes: the square of their number is kept several times


class PictureGraph(NamedTuple):
    """N = h * w nodes, row by row of the grid (h, w)."""

    nodes: Tensor  # [N, D], the absolute values of each row sum to 1
    edges: Tensor  # [N, N], symmetric, in 0..1
    grid: tuple[int, int]
    cell: int  # pixels of a node's side


def picture_graph(
    net: AffinityNet, picture: Tensor, offsets: Offsets, pool: int, stored: Tensor | None
) -> PictureGraph:
    """Of a normalised picture [1, 3, H, W]; `pool` cells of the affinity grid a side are one node.

    With `pool` 1 the edges are the `stored` raw affinities [P, h, w]; else the affinities of pooled features.
    ValueError for more than MOST nodes.
    """
    height, width = net.cells(*picture.shape[2:])
    grid = -(-height // pool), -(-width // pool)
    if grid[0] * grid[1] > MOST:
        raise ValueError(
            f"graph.pool: {pool} makes {grid[0] * grid[1]} nodes of a picture of {picture.shape[3]} x "
            f"{picture.shape[2]} pixels, at most {MOST} are possible: a higher one"
        )
    levels = net.encoder(picture)
    joined = [
        F.interpolate(levels[level].float(), (height, width), mode="bilinear", align_corners=False)
        for level in net.levels
    ]
    values = stored
    if values is None:
        values = affinities(pooled(net.compared(levels, (height, width)), pool), offsets)[0][0]
    nodes = shares(pooled(torch.cat(joined, 1), pool)[0].flatten(1).T)
    return PictureGraph(nodes, edges(values, offsets), grid, net.grid * pool)


def pooled(values: Tensor, pool: int) -> Tensor:
    """The mean over pool x pool cells, [B, D, ceil(h / pool), ceil(w / pool)]; the last may be cut."""
    return F.avg_pool2d(values, pool, ceil_mode=True)


def shares(features: Tensor) -> Tensor:
    """x_i / sum_j |x_ij| (ZHANG 3.15, where features are not negative), [N, D]; a row of zeros stays."""
    return features / features.abs().sum(1, keepdim=True).clamp_min(torch.finfo(features.dtype).tiny)


def edges(values: Tensor, offsets: Offsets) -> Tensor:
    """E [N, N] of raw affinities [P, h, w] with the neighbours that lie the offsets (dy, dx) further.

    Symmetric, 1 of each node with itself, 0 beyond the window and where an affinity is 1e-3 or less
    (ZHANG 3.14).
    """
    found = both_ways(values.float(), offsets).fill_diagonal_(1)
    return torch.where(found > LEAST, found, 0)


def both_ways(values: Tensor, offsets: Offsets) -> Tensor:
    """Values [P, h, w] of pairs (stages/common/pairs.py) as a symmetric matrix [N, N]; 0 of no pair."""
    height, width = values.shape[1:]
    rows = torch.arange(height, device=values.device)[:, None]
    columns = torch.arange(width, device=values.device)
    steps = torch.tensor(offsets, device=values.device)
    y, x = rows + steps[:, 0, None, None], columns + steps[:, 1, None, None]
    inside = (y < height) & (x >= 0) & (x < width)
    own, other = (rows * width + columns).expand_as(inside)[inside], (y * width + x)[inside]
    found = values.new_zeros(height * width, height * width)
    found[own, other] = found[other, own] = values[inside]
    return found


def interpolation(cells: int, cell: int, pixels: int) -> Tensor:
    """The weights [pixels, cells] by which pixels are read from cells of `cell` pixels, bilinearly.

    The last cell may be cut: pixels beyond the picture are left out, and nothing is stretched.
    """
    one_by_one = torch.eye(cells)[None]
    return F.interpolate(one_by_one, cells * cell, mode="linear", align_corners=False)[0].T[:pixels]
