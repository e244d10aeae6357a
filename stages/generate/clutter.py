"""Things of no class: bodies without a mark, behind the objects, so that not every edge is an object's."""

import numpy as np

from stages.generate.bodies import LENGTHS, coat, lay, shaded
from stages.generate.shapes import coverage, outline


def strew(rng: np.random.Generator, picture: np.ndarray, count: int) -> np.ndarray:
    """`count` of them anywhere on float32 RGB [S, S, 3], in the bodies' shapes, sizes and colours."""
    size = len(picture)
    for _ in range(count):
        centre = rng.uniform(0, size, 2)
        angle = rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        points = centre + rng.uniform(*LENGTHS) * size / 128 * outline(rng) @ turn
        picture = lay(picture, coverage(points, size), shaded(coat(rng), centre, size))
    return picture
