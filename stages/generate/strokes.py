"""What a person would draw on a scene: a stroke along each object and along the ground, and a click on each.

Drawn from the scene itself, by a stream of random numbers of their own: no picture depends on it.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from skimage.measure import label
from skimage.morphology import skeletonize

from stages.generate.scene import Scene

WIDE = 3  # pixels of a stroke
OBJECT, GROUND = 5, 9  # pixels of the square that keeps a stroke off the edges
SHARES = {OBJECT: (0.6, 1.0), GROUND: (0.4, 0.7)}  # of the longest way through a region, what a stroke covers
NEAR = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
Pixel = tuple[int, int]  # row and column


def scribble(rng: np.random.Generator, scene: Scene, length: float) -> np.ndarray:
    """Strokes, uint8 [S, S]: class + 1, 0 on the ground, 255 where nobody drew.

    `length`, 0 to 1, of each stroke is kept: a shorter one lies on the longer one of the same numbers.
    """
    strokes = np.full(scene.instances.shape, 255, np.uint8)
    for region, index in regions(scene):
        off = OBJECT if index else GROUND
        shares, places = rng.uniform(*SHARES[off]), rng.random(2)
        way = part(longest(skeletonize(inner(region, off))), shares, length, places)
        thin = np.zeros_like(strokes)
        thin[tuple(np.transpose(way))] = 1
        strokes[(cv2.dilate(thin, np.ones((WIDE, WIDE), np.uint8)) > 0) & region] = index
    return strokes


def clicks(rng: np.random.Generator, scene: Scene) -> list[dict[str, int]]:
    """A pixel of each object, and one of the ground, as What's the Point writes it: x and y from 0, and `cls`
    from 1; 0 is the ground. Any that lies half as deep inside as the deepest."""
    found = []
    for region, index in regions(scene):
        depth = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        y, x = np.nonzero(depth >= depth.max() / 2)
        at = int(rng.integers(len(x)))
        found.append({"x": int(x[at]), "y": int(y[at]), "cls": index})
    return found


def regions(scene: Scene) -> Iterator[tuple[np.ndarray, int]]:
    """Visible part, bool [S, S], and index of each object; the ground, index 0, last, if there is any."""
    for number, kind in enumerate(scene.classes, 1):
        yield scene.instances == number, kind + 1
    if (scene.instances == 0).any():
        yield scene.instances == 0, 0


def inner(region: np.ndarray, off: int) -> np.ndarray:
    """The largest piece of what is left of a region after erosion by squares of `off` pixels, or less where
    nothing would be left."""
    for side in range(off, 0, -2):
        left = cv2.erode(region.astype(np.uint8), np.ones((side, side), np.uint8))
        if left.any():
            break
    pieces = label(left, connectivity=2)
    return np.asarray(pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:]))


def longest(skeleton: np.ndarray) -> list[Pixel]:
    """The longest shortest way in a thin bool [S, S], by two sweeps: exact in a tree, near it with loops."""
    pixels = {(int(y), int(x)) for y, x in zip(*np.nonzero(skeleton), strict=True)}
    return sweep(pixels, sweep(pixels, min(pixels))[-1])


def sweep(pixels: set[Pixel], start: Pixel) -> list[Pixel]:
    """A shortest way from `start` to a pixel that is farthest from it."""
    before: dict[Pixel, Pixel | None] = {start: None}
    waiting = [start]
    for here in waiting:  # it grows
        for y, x in NEAR:
            there = here[0] + y, here[1] + x
            if there in pixels and there not in before:
                before[there] = here
                waiting.append(there)
    way, at = [], waiting[-1]
    while at is not None:
        way.append(at)
        at = before[at]  # type: ignore[assignment]
    return way[::-1]


def part(way: list[Pixel], share: float, length: float, places: np.ndarray) -> list[Pixel]:
    """A connected `share` of a way at a random place, and `length` of that at a random place in it."""
    for kept, place in zip((share, length), places, strict=True):
        number = max(1, round(kept * len(way)))
        first = round(place * (len(way) - number))
        way = way[first : first + number]
    return way
