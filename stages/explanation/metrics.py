"""How well maps explain a classifier (DAVID, slide "Metrics"; the formulas: MinMax-CAM's code).

A pair is a picture x and one of its n classes, c, with the mask m_c in [0, 1]. Of the classifier's scores S
stem Y = sigmoid S(x), O = sigmoid S(x m_c) and Q = sigmoid S(x (1 - m_c)), the answers to what the mask keeps
and to what it leaves. d(a, b) = max(0, a - b) / a is the share of an answer that is lost.

All values are fractions; NaN is a value that is not defined: of the other classes where there are none.
"""

import numpy as np

LEAST = 1e-6  # an answer that grew by less has not grown: that is rounding


def of_pairs(plain: np.ndarray, kept: np.ndarray, left: np.ndarray) -> np.ndarray:
    """The first five METRICS of each pair of one picture, [n, 5].

    `plain` [n] is Y of the picture's classes; row c of `kept` and `left` [n, n] is O and Q for the mask of c.
    """
    columns = (
        kept.diagonal() > plain + LEAST,
        drop(plain, kept.diagonal()),
        drop(plain, left.diagonal()),
        of_others(drop(plain, kept)),
        of_others(drop(plain, left)),
    )
    return np.stack(columns, 1)


def drop(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """max(0, before - after) / before; 0 where before is 0, for nothing can be lost there."""
    lost = np.maximum(0, before - after)
    return np.divide(lost, before, out=np.zeros_like(lost), where=np.broadcast_to(before > 0, lost.shape))


def of_others(drops: np.ndarray) -> np.ndarray:
    """Of drops [n, n], by mask and class, the mean over the classes that are not the mask's, [n]."""
    number = len(drops)
    if number == 1:
        return np.full(1, np.nan)
    return np.where(np.eye(number, dtype=bool), 0, drops).sum(1) / (number - 1)


def summary(pairs: np.ndarray) -> np.ndarray:
    """All METRICS [7] of pairs [P, 5]: means over the pairs that have a value, and the F1 of these means."""
    means = mean(pairs)
    _, loss, retention, others_loss, others_retention = means
    return np.array([*means, f1(retention, others_loss), f1(loss, others_retention)])


def by_class(pairs: np.ndarray, classes: np.ndarray, number: int) -> np.ndarray:
    """All METRICS [number, 7] by class, NaN of one without pairs; `classes` [P], from 0, are the pairs'."""
    return np.stack([summary(pairs[classes == index]) for index in range(number)])


def mean(rows: np.ndarray) -> np.ndarray:
    """Over the rows [N, M] without NaN, [M]; NaN of a column that has no value."""
    known = ~np.isnan(rows)
    number = known.sum(0)
    return np.where(number > 0, np.where(known, rows, 0).sum(0) / np.maximum(number, 1), np.nan)


def f1(a: float, b: float) -> float:
    """The harmonic mean; 0 of 0 and 0."""
    return 2 * a * b / (a + b) if a + b != 0 else 0.0
