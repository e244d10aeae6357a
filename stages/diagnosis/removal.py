"""What the score does when the most relevant pixels are removed (CHEN, appendix A.2)."""

from collections.abc import Iterator, Sequence

import numpy as np


def ranked(relevance: np.ndarray) -> np.ndarray:
    """The pixels of a map [H, W] by falling relevance, int [H W]; of equal ones the first comes first."""
    return np.argsort(-relevance.ravel(), kind="stable")


def number(share: float, pixels: int) -> int:
    """How many pixels `share` percent are, to the nearest."""
    return int(share / 100 * pixels + 0.5)


def views(
    picture: np.ndarray, order: np.ndarray, shares: Sequence[float], fill: np.ndarray
) -> Iterator[np.ndarray]:
    """The picture [3, H, W] whole, then with the first pixels of `order` in the colour `fill` [3, 1, 1]."""
    yield picture
    for share in shares:
        found = picture.copy()
        found.reshape(len(picture), -1)[:, order[: number(share, len(order))]] = fill[:, 0]
        yield found


def change(scores: np.ndarray, target: int) -> np.ndarray:
    """|S' - S| / |S| of the class for scores [1 + N, C], the whole picture's first; NaN where S = 0.

    CHEN's "absolute value of the fractional difference". A score that rises counts as one that falls: see
    `fell`.
    """
    own = scores[:, target]
    if own[0] == 0:
        return np.full(len(own), np.nan)
    return np.abs(own - own[0]) / abs(own[0])


def fell(scores: np.ndarray, target: int) -> np.ndarray:
    """Whether the score of the class is lower than the whole picture's, bool [1 + N]."""
    return scores[:, target] < scores[0, target]


def right(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether the class of the highest score is among the picture's, from 0; bool [N] of scores [N, C]."""
    return np.isin(scores.argmax(1), labels)
