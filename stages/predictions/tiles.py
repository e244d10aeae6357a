"""Large pictures in overlapping tiles (FGV, "Patch-wise training and inference").

At a tile's border the network lacks context. So tiles overlap, and `Merge` says what counts where they do:
`ramp`, the mean of their scores, each weighted by the distance from its own border; `mean`, all alike; or
`inner`, the tile alone whose border is farthest. What ends a picture is no border: nothing is beyond it.
"""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Literal

import numpy as np

Merge = Literal["ramp", "mean", "inner"]

Box = tuple[slice, slice]  # rows and columns of a picture
Scores = Callable[[list[Box]], list[np.ndarray]]
"""Scores float32 [C, h, w] of some boxes, all of the same size."""


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin that cover `length`: evenly spaced, overlapping by `overlap` or more."""
    if length <= tile:
        return [0]
    count = 1 + -(-(length - tile) // (tile - overlap))
    return [round(index * (length - tile) / (count - 1)) for index in range(count)]


def boxes(size: tuple[int, int], tile: int, overlap: int) -> list[Box]:
    """All tiles of a picture of `size` (height, width), row by row; all have the same size."""
    rows, columns = ([(at, min(at + tile, side)) for at in starts(side, tile, overlap)] for side in size)
    return [(slice(*row), slice(*column)) for row in rows for column in columns]


def ramp(length: int, overlap: int) -> np.ndarray:
    """Weights of one side of a tile, float32 [length]: rising from its borders, 1 further in. None is 0."""
    inwards = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
    return np.minimum(1, inwards / max(overlap, 0.5)).astype(np.float32)


def weights(merge: Merge, box: Box, size: tuple[int, int], overlap: int) -> np.ndarray:
    """What the scores of a tile count for, float32 [h, w]; of `inner` pixels to its nearest border, from 1.

    `ramp` falls towards the picture's edge too: no other tile is there, or all fall alike.
    """
    height, width = (part.stop - part.start for part in box)
    if merge == "mean":
        return np.ones((height, width), np.float32)
    if merge == "ramp":
        return np.outer(ramp(height, overlap), ramp(width, overlap))
    rows, columns = (depth(part, side) for part, side in zip(box, size, strict=True))
    return np.minimum(rows[:, None], columns)


def depth(part: slice, side: int) -> np.ndarray:
    """Pixels from 1 on to the nearer end of one side of a tile, float32; an end of the picture is none."""
    at = np.arange(part.start, part.stop, dtype=np.float32)
    before = at - part.start + 1 if part.start else np.full_like(at, np.inf)
    after = part.stop - at if part.stop < side else np.full_like(at, np.inf)
    return np.minimum(before, after)


def best(sums: np.ndarray) -> np.ndarray:
    """The class of the greatest sum [C, W], as the one layer uint8 [1, W]."""
    return sums.argmax(0)[None].astype(np.uint8)


def stitched(
    size: tuple[int, int], tile: int, overlap: int, merge: Merge, batch: int, scores: Scores,
    finish: Callable[[np.ndarray], np.ndarray] = best, layers: int = 1,
) -> np.ndarray:  # fmt: skip
    """What `finish` makes of each row's sums [C, W], uint8 [layers, H, W]: the best class, if nothing else.

    `scores` has at most `batch` tiles at a time. Sums are kept for as many rows as a tile has, not for the
    picture: memory grows with its width only.
    """
    made = np.empty((layers, *size), np.uint8)
    total, first = None, 0  # weighted sums, then the greatest weight [C + 1, tile rows, W]; their first row
    for top, row in groupby(boxes(size, tile, overlap), key=lambda box: box[0].start):
        for box, found in _in_batches(list(row), batch, scores):
            if total is None:
                total = np.zeros((len(found) + 1, found.shape[1], size[1]), np.float32)
            if top > first:
                _finish(total[:-1], made[:, first:top], finish)
                _shift(total, top - first)
                first = top
            _add(total[:, :, box[1]], found, weights(merge, box, size, overlap), merge)
    assert total is not None
    _finish(total[:-1], made[:, first:], finish)
    return made


def _add(total: np.ndarray, found: np.ndarray, weight: np.ndarray, merge: Merge) -> None:
    """The scores of a tile onto the sums, or of `inner` in their place where no tile was as deep before."""
    if merge == "inner":
        deeper = weight > total[-1]
        np.copyto(total[:-1], found, where=deeper)
        np.copyto(total[-1], weight, where=deeper)
    else:
        total[:-1] += found * weight


def _in_batches(row: list[Box], batch: int, scores: Scores) -> Iterator[tuple[Box, np.ndarray]]:
    for at in range(0, len(row), batch):
        part = row[at : at + batch]
        yield from zip(part, scores(part), strict=True)


def _finish(total: np.ndarray, made: np.ndarray, finish: Callable[[np.ndarray], np.ndarray]) -> None:
    """The first rows' sums into `made`; row by row, since argmax copies what it reads."""
    for row in range(made.shape[1]):
        made[:, row] = finish(total[:, row])


def _shift(total: np.ndarray, rows: int) -> None:
    """Move the sums up by `rows`, new rows of zeros below, without a second array of that size."""
    kept = total.shape[1] - rows
    for plane in total:
        plane[:kept] = plane[rows:].copy()
        plane[kept:] = 0
