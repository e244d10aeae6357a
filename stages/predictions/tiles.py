"""Large pictures in overlapping tiles (FGV, "Patch-wise training and inference").

At a tile's border the network lacks context. So tiles overlap, and where they do the mean of their
scores counts, each weighted by the distance from its own border: the inner parts decide.
"""

from collections.abc import Callable, Iterator
from itertools import groupby

import numpy as np

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


def stitched(size: tuple[int, int], tile: int, overlap: int, batch: int, scores: Scores) -> np.ndarray:
    """The best class of each pixel, uint8 [H, W], from `scores` of at most `batch` tiles at a time.

    Sums are kept for as many rows as a tile has, not for the picture: memory grows with its width only.
    """
    labels = np.empty(size, np.uint8)
    total, first = None, 0  # weighted sums [C, tile rows, W], and the picture's row of the first one
    window = np.outer(*(ramp(min(tile, side), overlap) for side in size))
    for top, row in groupby(boxes(size, tile, overlap), key=lambda box: box[0].start):
        for box, found in _in_batches(list(row), batch, scores):
            if total is None:
                total = np.zeros((len(found), window.shape[0], size[1]), np.float32)
            if top > first:
                _decide(total, labels[first:top])
                _shift(total, top - first)
                first = top
            total[:, :, box[1]] += found * window
    assert total is not None
    _decide(total, labels[first:])
    return labels


def _in_batches(row: list[Box], batch: int, scores: Scores) -> Iterator[tuple[Box, np.ndarray]]:
    for at in range(0, len(row), batch):
        part = row[at : at + batch]
        yield from zip(part, scores(part), strict=True)


def _decide(total: np.ndarray, labels: np.ndarray) -> None:
    """The best classes of the first rows into `labels`; row by row, since argmax copies what it reads."""
    for row, best in enumerate(labels):
        best[:] = total[:, row].argmax(0)


def _shift(total: np.ndarray, rows: int) -> None:
    """Move the sums up by `rows`, new rows of zeros below, without a second array of that size."""
    kept = total.shape[1] - rows
    for plane in total:
        plane[:kept] = plane[rows:].copy()
        plane[kept:] = 0
