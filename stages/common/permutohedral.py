"""The permutohedral lattice: a Gaussian filter of points in D dimensions, in time linear in the points.

Adams et al., 2010, with the numbers of Krähenbühl and Koltun's code, which is in pydensecrf. It is no
Gaussian: it has about half of the exact mass. Nothing is summed by atomic additions, so equal points give
equal bytes, on a GPU too.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

BITS = 62  # of a vertex's key


class Lattice:
    """Which vertices there are, between which of them a point is, and which are neighbours.

    A point is in a simplex of D + 1 vertices, with barycentric weights. Values go to the vertices by these
    weights, are blurred along each of D + 1 directions by (1/2, 1, 1/2), and come back by the same weights.
    """

    def __init__(self, features: Tensor, owners: Tensor) -> None:
        """Of points float [N, D] in standard deviations; those of other owners, int64 [N], are far away."""
        low, rank, rest = _rounded(_elevated(features))
        size, points = rank.shape
        order = torch.arange(size, device=rank.device)[:, None].expand_as(rank)
        order = torch.empty_like(rank).scatter_(0, rank, order)
        weights = _weights(rest.gather(0, order))
        keys, steps = _keys(low, order, owners)
        found, place = _sorted(keys.flatten())
        first = torch.ones_like(found, dtype=torch.bool)
        torch.ne(found[1:], found[:-1], out=first[1:])
        vertices = torch.empty_like(place).scatter_(0, place, first.cumsum(0).sub_(1)).view(size, points)
        self.starts = first.nonzero()[:, 0]  # of each vertex's points
        which = torch.arange(points, device=place.device).repeat(size)
        self.points, self.shares = which.index_select(0, place), weights.flatten().index_select(0, place)
        self.vertices, self.weights = vertices.T.contiguous(), weights.T.contiguous()
        self.up, self.down = _neighbours(found[self.starts], steps)

    def __call__(self, values: Tensor, transposed: bool = False) -> Tensor:
        """The filter times values [N, K]. It is not quite its own transpose: the directions turn round."""
        inner = F.embedding_bag(
            self.points, values, self.starts, mode="sum", per_sample_weights=self.shares.to(values.dtype)
        )
        vertices = torch.cat([inner, torch.zeros_like(values[:1])])  # the last: where there is no neighbour
        for direction in reversed(range(len(self.up))) if transposed else range(len(self.up)):
            both = vertices.index_select(0, self.up[direction])
            both += vertices.index_select(0, self.down[direction])
            vertices[:-1].add_(both, alpha=0.5)
        out = F.embedding_bag(
            self.vertices, vertices, mode="sum", per_sample_weights=self.weights.to(values.dtype)
        )
        return out / (1 + 2.0 ** (1 - len(self.up)))


def _elevated(features: Tensor) -> Tensor:
    """Of features [N, D], [D + 1, N] in the plane whose coordinates add up to 0."""
    size = features.shape[1] + 1
    out, total = features.new_empty(size, len(features)), features.new_zeros(len(features))
    for axis in range(size - 1, 0, -1):
        part = features[:, axis - 1] * (size * math.sqrt(2 / 3) / math.sqrt(axis * (axis + 1)))
        torch.sub(total, part, alpha=axis, out=out[axis])
        total += part
    out[0] = total
    return out


def _rounded(elevated: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each point's vertex of remainder 0, int32, the rank of its coordinates by how far they are above it,
    from 0, int64, and how far they are, of D + 1; each [D + 1, N].
    """
    size = len(elevated)
    low = (elevated / size).round()
    rest = torch.add(elevated, low, alpha=-size)
    # The rounded coordinates may not add up to 0. Of two that are as far the first is the higher one.
    rank = low.sum(0).to(torch.int8) + torch.arange(size, dtype=torch.int8, device=low.device)[:, None]
    for i in range(size):
        for j in range(i + 1, size):
            less = (rest[i] < rest[j]).view(torch.int8)
            rank[i] += less
            rank[j] -= less
    turn = (rank < 0).to(torch.int8) - (rank >= size).to(torch.int8)
    return (low.int() + turn) * size, (rank + turn * size).long(), rest.sub_(turn, alpha=size).div_(size)


def _weights(rest: Tensor) -> Tensor:
    """The barycentric weights [D + 1, N] of the vertices of each remainder, of `rest` in falling order."""
    return torch.cat([1 + rest[-1:] - rest[:1], (rest[:-1] - rest[1:]).flip(0)])


def _keys(low: Tensor, order: Tensor, owners: Tensor) -> tuple[Tensor, list[int]]:
    """A number for the vertex of each remainder of each point, int64 [D + 1, N]; and what a step along each
    direction adds to it. The last coordinate is left out: it follows from the others.

    ValueError where the numbers would be too large.
    """
    size = len(low)
    ends = torch.stack(low[:-1].aminmax(dim=1)).tolist()
    widths = [high - start + 4 * size for start, high in zip(*ends, strict=True)]  # with room for neighbours
    strides = [math.prod(widths[:axis]) for axis in range(size - 1)] + [0]
    pictures = math.prod(widths)
    if pictures * (int(owners[-1]) + 1) >= 1 << BITS:
        raise ValueError(f"a lattice of {pictures} places is too large: make its standard deviations larger")
    keys = torch.empty_like(order)
    first = sum((2 * size - start) * stride for start, stride in zip(ends[0], strides, strict=False))
    torch.add(first, owners, alpha=pictures, out=keys[0])
    for axis in range(size - 1):
        keys[0].add_(low[axis], alpha=strides[axis])
    steps = torch.tensor([sum(strides) - size * stride for stride in strides], device=low.device)
    for remainder in range(1, size):  # one by one the coordinates come down, the highest first
        torch.add(keys[remainder - 1], steps.take(order[size - remainder]), out=keys[remainder])
    return keys, steps.tolist()


def _sorted(keys: Tensor) -> tuple[Tensor, Tensor]:
    """The keys in order, and where each was; equal ones keep their order.

    On a CPU in one sort of keys and places together, where they fit: NumPy's is many times faster.
    """
    bits = len(keys).bit_length()
    if keys.device.type != "cpu" or int(keys.max()) >> (BITS - bits):
        found = keys.sort(stable=True)
        return found.values, found.indices
    both = (keys << bits) + torch.arange(len(keys))
    both = torch.from_numpy(np.sort(both.numpy()))
    return both >> bits, both & ((1 << bits) - 1)


def _neighbours(vertices: Tensor, steps: list[int]) -> tuple[Tensor, Tensor]:
    """Of M vertices, in order, those one step ahead and behind along each direction, [D + 1, M]; M: none."""
    count = len(vertices)
    wanted = vertices + torch.tensor(steps, device=vertices.device)[:, None]
    near = _searched(vertices, wanted).clamp_(max=count - 1)
    up = torch.where(vertices.take(near) == wanted, near, count)
    down = torch.full((len(steps), count + 1), count, device=vertices.device)
    down.scatter_(1, up, torch.arange(count, device=vertices.device).expand_as(up))
    return up, down[:, :-1]


def _searched(vertices: Tensor, wanted: Tensor) -> Tensor:
    """torch.searchsorted; NumPy's, on a CPU, looks on from where the last one was."""
    if vertices.device.type != "cpu":
        return torch.searchsorted(vertices, wanted)
    return torch.from_numpy(np.searchsorted(vertices.numpy(), wanted.numpy()))
