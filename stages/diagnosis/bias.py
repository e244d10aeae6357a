"""How much of a score is the bias above a layer (CHEN, appendix A.1): r = b / S of Eq. 4.12.

CHEN averages over all classes. A score near 0 makes its ratio as large as you like, so here only the classes
that a picture shows count, and of them those whose score is above 5 % of the picture's largest.
"""

import numpy as np

LEAST = 0.05  # of the largest score
NORMAL = 1.96  # standard errors on each side: 95 %
COLUMNS = ("mean", "low", "high", "lower_quartile", "median", "upper_quartile")


def usable(scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Which of a picture's classes [K], from 0, have scores that a ratio can be of; bool, of scores [C]."""
    return (scores[classes] > LEAST * scores.max()) & (scores[classes] > 0)


def summary(ratios: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """COLUMNS of ratios [P], which belong to the pictures [P] (numbers); NaN where there is none.

    `low` and `high` hold the mean with 95 %. The classes of a picture are no independent draws, so pictures
    are the units: its standard error is that of a ratio of two sums over pictures.
    """
    if not len(ratios):
        return np.full(len(COLUMNS), np.nan)
    mean = ratios.mean()
    units = np.unique(pictures, return_inverse=True)[1]
    sums = np.bincount(units, ratios - mean)
    freedom = len(sums) / (len(sums) - 1) if len(sums) > 1 else np.nan
    half = NORMAL * np.sqrt(freedom * (sums**2).sum()) / len(ratios)
    return np.array([mean, mean - half, mean + half, *np.quantile(ratios, (0.25, 0.5, 0.75))])
