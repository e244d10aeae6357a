"""What the score does when the most relevant pixels are removed (CHEN, appendix A.2)."""

from collections.abc import Iterator, Sequence

import numpy as np

COLUMNS = ("change", "change_median", "fell", "accuracy")


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


def curve(scores: np.ndarray, target: int, labels: np.ndarray) -> np.ndarray:
    """By share |S' - S| / |S| of the class, whether S' < S, and whether the prediction is right, [1 + N, 3].

    The first is CHEN's "absolute value of the fractional difference", to which a score that rises adds as one
    that falls; NaN where S = 0. Right is a picture whose highest score is of one of its `labels`, from 0.
    `scores` [1 + N, C] are the whole picture's first.
    """
    own = scores[:, target]
    whole = own[0]
    size = np.abs(own - whole) / abs(whole) if whole else np.full(len(own), np.nan)
    return np.stack([size, own < whole, np.isin(scores.argmax(1), labels)], 1)


def summary(curves: np.ndarray) -> np.ndarray:
    """COLUMNS by share, percent, of the pictures' curves [P, 1 + N, 3]; NaN where no picture has a value."""
    size, lower, right = np.moveaxis(curves, 2, 0)
    size = size[~np.isnan(size[:, 0])]
    kinds = ((size, np.mean), (size, np.median), (lower, np.mean), (right, np.mean))
    found = [function(rows, 0) if len(rows) else np.full(rows.shape[1], np.nan) for rows, function in kinds]
    return 100 * np.stack(found, 1)
