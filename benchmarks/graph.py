"""Three ways of a graph network's attention: dense, by gathering neighbours, by shifting the grid.

All three make the same features, of the window of AffinityNet (radius 5: 69 neighbours with the node itself):

- dense: stages/graph/network.py, all pairs of nodes as one matrix with a mask;
- gathers: the features of each node's neighbours as [N, 69, hidden];
- shifts: the padded grid, shifted by each offset in turn.

An epoch is three layers, forward and backward, on one core; `difference` is the largest one of features and
of their gradient, against dense. Run it from the project's root: `python -m benchmarks.graph`, or with the
sides of other grids behind it; it writes benchmarks/results/graph.csv.
"""

import sys
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.common import median_time, save
from stages.affinity.offsets import forward_offsets
from stages.graph.network import propagation
from stages.graph.nodes import edges

SIDES, HIDDEN, LAYERS, RADIUS, BETA, TIMES = (16, 24, 32), (32, 256), 3, 5, 10.0, 3
Offsets = list[tuple[int, int]]
Layer = Callable[[Tensor, Tensor], Tensor]


def main() -> None:
    torch.set_num_threads(1)
    rows: list[tuple[object, ...]] = [("nodes", "hidden", "way", "ms_an_epoch", "difference")]
    for side in [int(side) for side in sys.argv[1:]] or SIDES:
        for hidden in HIDDEN:
            rows += measured(side, hidden)
    save("graph", rows)


def measured(side: int, hidden: int) -> list[tuple[object, ...]]:
    """A row for each way, of a square grid."""
    torch.manual_seed(0)
    half = [(int(dy), int(dx)) for dy, dx in forward_offsets(RADIUS)]
    values, nodes = torch.rand(len(half), side, side), torch.rand(side * side, hidden)
    rows: list[tuple[object, ...]] = []
    wanted = None
    for name, layer in ways(values, half).items():
        seconds, found = median_time(partial(epoch, layer, nodes), TIMES)
        wanted = found if wanted is None else wanted
        apart = max((a - b).abs().max().item() for a, b in zip(found, wanted, strict=True))
        rows.append((side * side, hidden, name, f"{1000 * seconds:.1f}", f"{apart:.1e}"))
    return rows


def ways(values: Tensor, half: Offsets) -> dict[str, Layer]:
    """Layers (features [N, D], w) -> [N, D] of raw affinities [P, h, w], dense first."""
    matrix = edges(values, half)
    pull, far = BETA * matrix, matrix == 0
    window = [(0, 0), *half, *((-dy, -dx) for dy, dx in half)]
    indices, weights = neighbours(matrix, values.shape[1:], window)

    def dense(h: Tensor, w: Tensor) -> Tensor:
        return propagation(h, pull, far, w) @ h

    return {
        "dense": dense,
        "gathers": partial(gathered, indices, weights),
        "shifts": partial(shifted, window, weights, values.shape[1:]),
    }


def neighbours(matrix: Tensor, grid: tuple[int, ...], window: Offsets) -> tuple[Tensor, Tensor]:
    """Of each node those in the window, by number [N, S], and their edges; a missing one is itself, 0."""
    rows, columns = torch.arange(grid[0])[:, None], torch.arange(grid[1])
    own = rows * grid[1] + columns
    found = []
    for dy, dx in window:
        y, x = rows + dy, columns + dx
        inside = (y >= 0) & (y < grid[0]) & (x >= 0) & (x < grid[1])
        found.append(torch.where(inside, y * grid[1] + x, -1).flatten())
    indices = torch.stack(found, 1)
    weights = matrix.gather(1, indices.clamp_min(0)) * (indices >= 0)
    return torch.where(indices >= 0, indices, own.flatten()[:, None]), weights


def gathered(indices: Tensor, weights: Tensor, hidden: Tensor, weight: Tensor) -> Tensor:
    near = hidden[indices]
    unit = F.normalize(hidden, dim=1)
    cosines = (unit[indices] * unit[:, None]).sum(2)
    return (shares(cosines, weights, weight)[:, :, None] * near).sum(1)


def shifted(
    window: Offsets, weights: Tensor, grid: tuple[int, ...], hidden: Tensor, weight: Tensor
) -> Tensor:
    reach = RADIUS
    pads = (0, 0, reach, reach, reach, reach)
    wide = F.pad(hidden.unflatten(0, grid), pads)
    unit = F.normalize(hidden, dim=1)
    wide_unit = F.pad(unit.unflatten(0, grid), pads)

    def shift(values: Tensor, dy: int, dx: int) -> Tensor:
        y, x = reach + dy, reach + dx
        return values[y : y + grid[0], x : x + grid[1]].flatten(0, 1)

    cosines = torch.stack([(shift(wide_unit, *step) * unit).sum(1) for step in window], 1)
    parts = shares(cosines, weights, weight)
    found = torch.zeros_like(hidden)
    for at, step in enumerate(window):
        found = found + parts[:, at, None] * shift(wide, *step)
    return found


def shares(cosines: Tensor, weights: Tensor, weight: Tensor) -> Tensor:
    scores = weight * cosines + BETA * (cosines > 0) * weights
    return scores.masked_fill(weights == 0, -torch.inf).softmax(1)


def epoch(layer: Layer, nodes: Tensor) -> tuple[Tensor, Tensor]:
    """The features after three layers, and the gradient of their squares' sum."""
    start = nodes.clone().requires_grad_()
    hidden, weight = start, torch.tensor(0.5)
    for _ in range(LAYERS):
        hidden = layer(hidden, weight)
    hidden.square().sum().backward()
    assert start.grad is not None
    return hidden.detach(), start.grad


if __name__ == "__main__":
    main()
