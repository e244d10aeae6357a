"""Which neighbours of a cell have an affinity with it."""

import numpy as np


def forward_offsets(radius: int) -> np.ndarray:
    """Offsets (dy, dx) in cells, int [P, 2], row by row: half of the disc dy^2 + dx^2 < radius^2.

    The other half is symmetric, and a cell's affinity with itself is 1 (PEERS 2.5). 34 for radius 5.
    """
    reach = range(1 - radius, radius)
    half = [(dy, dx) for dy in range(radius) for dx in reach if (dy, dx) > (0, 0)]
    return np.array([(dy, dx) for dy, dx in half if dy**2 + dx**2 < radius**2])
