"""The random walk on pairwise affinities, never with a dense n x n matrix.

DAVID, "Pixel Semantic Affinity": T = D^-1 W^beta (W to the power beta cell by cell, D_ii the sum
of row i), vec(M*) = T^t vec(M). Applying the sparse T t times to the picture's few maps is the
same as the repeated squaring of a dense T that published code does, for a thousandth of the work
(PEERS 3.3). That code divides columns by their sums and multiplies from the right, x^T (W D^-1);
W is symmetric, so its transpose D^-1 W x is the same.
"""

import cv2
import numpy as np
from scipy.sparse import csr_array

from stages.common.crf import infer_labels, unary_from_scores
from stages.common.crf_params import Crf
from stages.common.labels import alpha_scores, to_classes, upsample
from stages.pseudo_labels.params import RandomWalk

WEAKEST = 1e-12  # of W^beta, beside the 1 of a cell with itself: 256 steps of all 68 lose 2e-8


def needs(params: RandomWalk) -> set[str]:
    return {"affinity", "picture"} if params.crf else {"affinity"}


def labels(
    maps: np.ndarray,
    classes: np.ndarray,
    size: tuple[int, int],
    params: RandomWalk,
    crf: Crf,
    picture: np.ndarray | None = None,
    affinity: dict[str, np.ndarray] | None = None,
) -> np.ndarray:
    """Labels uint8 [H, W] of seeds' `maps` [K, h', w'] up to 1, after the walk on the affinity grid.

    A negative contribution counts as none. `affinity` holds `affinities` and `offsets`. A picture without a
    class is background, and nothing walks.
    """
    assert affinity is not None
    if not len(maps):
        return np.zeros(size, np.uint8)
    matrix = transition(affinity["affinities"], affinity["offsets"], params.beta)
    seeds = np.maximum(resize(maps, affinity["affinities"].shape[1:]), 0)
    if params.background == "alpha":
        scores = upsample(walk(matrix, alpha_scores(seeds, params.alpha), params.steps), size)
    else:
        scores = constant_background(upsample(walk(matrix, seeds, params.steps), size), params.threshold)
    if not params.crf:
        return to_classes(scores.argmax(0), classes)
    assert picture is not None
    return infer_labels(picture, [unary_from_scores(shares(scores))], classes, crf)[0]


def transition(affinities: np.ndarray, offsets: np.ndarray, beta: float) -> csr_array:
    """T = D^-1 W^beta, CSR float32 [n, n] for the n = h * w cells, row by row of the grid.

    `affinities` [P, h, w]: of cell (y, x) with (y + dy, x + dx), for the P `offsets` (dy, dx), one
    of each pair of opposite ones. W gets both directions, and 1 of each cell with itself.
    """
    count, height, width = affinities.shape
    cells = height * width
    forward = affinities.astype(np.float32) ** np.float32(beta)
    both = np.concatenate([offsets, -offsets, [[0, 0]]]).astype(np.int32)
    order = np.lexsort((both[:, 1], both[:, 0]))  # of rising columns, as CSR wants them
    place = np.argsort(order)
    weights = np.zeros((height, width, len(both)), np.float32)
    weights[:, :, place[-1]] = 1
    for index, (dy, dx) in enumerate(both[:count]):
        here, there = _overlap(height, dy), _overlap(width, dx)
        back = _overlap(height, -dy), _overlap(width, -dx)
        inside = forward[index, here, there]
        weights[here, there, place[index]] = inside
        weights[(*back, place[index + count])] = inside
    rows = weights.reshape(cells, -1)
    rows[rows < WEAKEST] = 0  # tiny products become subnormal numbers, which are slow
    rows /= rows.sum(1, keepdims=True)
    kept = rows > 0
    shifts = both[order, 0] * width + both[order, 1]
    columns = np.arange(cells, dtype=np.int32)[:, None] + shifts
    starts = np.concatenate([[0], np.cumsum(kept.sum(1))]).astype(np.int32)
    return csr_array((rows[kept], columns[kept], starts), shape=(cells, cells))


def _overlap(length: int, shift: int) -> slice:
    """Indices whose shifted partner lies inside, too."""
    return slice(max(0, -shift), max(0, length - max(0, shift)))


def walk(matrix: csr_array, scores: np.ndarray, steps: int) -> np.ndarray:
    """T^steps applied to each of `scores` [K, h, w], float32 [K, h, w]."""
    flat = np.ascontiguousarray(scores, np.float32).reshape(len(scores), matrix.shape[0])
    if len(flat) <= 3:  # one by one is up to twice as fast for so few, and equal to the bit
        walked = np.array([_apply(matrix, row, steps) for row in flat], np.float32)
    else:
        walked = np.ascontiguousarray(_apply(matrix, np.ascontiguousarray(flat.T), steps).T)
    return walked.reshape(scores.shape)


def _apply(matrix: csr_array, vectors: np.ndarray, steps: int) -> np.ndarray:
    for _ in range(steps):
        vectors = matrix @ vectors
    return vectors


def resize(maps: np.ndarray, grid: tuple[int, ...]) -> np.ndarray:
    """Maps [K, h', w'] on the grid (h, w), float32: bilinear, or area averages on a coarser grid."""
    if maps.shape[1] <= grid[0] and maps.shape[2] <= grid[1]:
        return upsample(maps, (grid[0], grid[1]))
    smaller = [cv2.resize(m, grid[::-1], interpolation=cv2.INTER_AREA) for m in maps.astype(np.float32)]
    return np.array(smaller, np.float32).reshape(len(maps), *grid)


def constant_background(maps: np.ndarray, threshold: float) -> np.ndarray:
    """[threshold, *maps / the largest value of them all], float32 [K + 1, H, W] (IRN, PEERS 2.7)."""
    background = np.full((1, *maps.shape[1:]), threshold, np.float32)
    return np.concatenate([background, maps / max(maps.max(initial=0), np.finfo(np.float32).tiny)])


def shares(scores: np.ndarray) -> np.ndarray:
    """Scores [L, H, W] as each label's share of their sum, equal shares where all are 0."""
    total = scores.sum(0)
    return np.where(total > 0, scores / np.where(total > 0, total, 1), np.float32(1 / len(scores)))
