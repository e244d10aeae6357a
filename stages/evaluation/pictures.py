"""Scores of a class on single pictures, and their mean: what small objects weigh more in than set-wide.

ISIC, and so CHEN 3.5, scores each picture and takes the mean; VOC counts all pictures as one. A class is
scored on the pictures whose truth holds it: on the others, which are most, to mark nothing scores 1.
"""

import numpy as np

from stages.evaluation import metrics

COLUMNS = (
    "e_measure",
    "jaccard",
    "threshold_jaccard",  # the Jaccard index where it reaches the threshold, else 0 (ISIC 2018)
    "dice",
    "accuracy",
    "sensitivity",
    "specificity",
)


def scores(table: np.ndarray, threshold: float) -> np.ndarray:
    """COLUMNS of each class on the picture of a table of counts, fractions [len(COLUMNS), C + 1].

    nan where the truth does not hold the class, and where all of it is the class: no specificity.
    """
    tp, fp, fn = metrics.counts(table)
    every = (tp, fp, fn, metrics.negatives(table))
    jaccard = metrics.iou(tp, fp, fn)
    found = np.stack(
        [
            metrics.e_measure(*every),
            jaccard,
            np.where(jaccard >= threshold, jaccard, 0),
            metrics.f1(tp, fp, fn),
            metrics.accuracy(*every),
            metrics.recall(tp, fp, fn),
            np.where(fp + every[-1] > 0, metrics.specificity(*every), np.nan),
        ]
    )
    return np.where(tp + fn > 0, found, np.nan)


class Means:
    """Means over pictures, which come one by one: a large set's scores are not held all at once."""

    def __init__(self, classes: int, threshold: float) -> None:
        self.threshold = threshold
        self.total = np.zeros((len(COLUMNS), classes))
        self.number = np.zeros((len(COLUMNS), classes), np.int64)

    def add(self, table: np.ndarray) -> None:
        found = scores(table, self.threshold)
        self.total += np.nan_to_num(found)
        self.number += ~np.isnan(found)

    @property
    def pictures(self) -> np.ndarray:
        """How many pictures hold each class, int64 [C + 1]."""
        return np.asarray(self.number[0])

    def of_classes(self) -> np.ndarray:
        """The mean over the pictures, fractions [len(COLUMNS), C + 1]; nan where there is no picture."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.total / self.number)

    def of_set(self) -> dict[str, float]:
        """The mean of `of_classes` over the classes that have any, by column."""
        found = dict(zip(COLUMNS, self.of_classes(), strict=True))
        known = {name: values[~np.isnan(values)] for name, values in found.items()}
        return {name: float(values.mean()) for name, values in known.items() if values.size}
