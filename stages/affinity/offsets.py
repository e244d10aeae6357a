"""Which neighbours of a cell have an affinity with it."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from stages.common.pairs import Offsets, windows


def forward_offsets(radius: int) -> np.ndarray:
    """Offsets (dy, dx) in cells, int [P, 2], row by row: half of the disc dy^2 + dx^2 < radius^2.

    The other half is symmetric, and a cell's affinity with itself is 1 (PEERS 2.5). 34 for radius 5.
    """
    reach = range(1 - radius, radius)
    half = [(dy, dx) for dy in range(radius) for dx in reach if (dy, dx) > (0, 0)]
    return np.array([(dy, dx) for dy, dx in half if dy**2 + dx**2 < radius**2])


def offset_list(radius: int) -> Offsets:
    return [(int(dy), int(dx)) for dy, dx in forward_offsets(radius)]


def of_pairs(values: Tensor, offsets: Offsets, alike: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """How alike each cell and its forward neighbours are, [B, P, h, w]; 0 where there is no neighbour.

    Of `values` [B, D, h, w], `alike` gets those of the first cells and of the second ones, [B, D, h', w'].
    """
    found = values.new_zeros(values.shape[0], len(offsets), *values.shape[2:])
    for at, (own, other) in enumerate(windows(values.shape[2], values.shape[3], offsets)):
        found[(slice(None), at, *own)] = alike(values[(..., *own)], values[(..., *other)])
    return found


def of_matrix(matrix: Tensor, cells: tuple[int, int], offsets: Offsets) -> Tensor:
    """The entries of a matrix [B, n, n] over n = h * w cells, row by row, that belong to pairs, [B, P, h, w].

    0 where there is no neighbour.
    """
    places = torch.arange(cells[0] * cells[1], device=matrix.device).view(cells)
    found = matrix.new_zeros(matrix.shape[0], len(offsets), *cells)
    for at, (own, other) in enumerate(windows(*cells, offsets)):
        found[(slice(None), at, *own)] = matrix[:, places[own], places[other]]
    return found
