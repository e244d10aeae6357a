"""Segmentation metrics as functions of integer counts: count once, derive everything.

A table of counts is int64 [..., C+1, C+2]: rows are the truth, columns the result, in the order
background, classes, unknown. Leading dimensions (one table per threshold, say) are carried along.

Two rules, the same for every rung:
- 255 in the truth is void and counts nowhere; 255 in a result is an answer that is always wrong.
  It has a column of its own, so it lowers the recall of the true class and is never background.
- A mean over classes takes the classes that occur in the truth or in the result, background
  included. A class that occurs in neither is no class of this set (torchmetrics does the same;
  SEAM's evaluator counts it as 0, IRN's as nan). Of those that occur, 0/0 counts as 0.
"""

import numpy as np

from stages.common.artifacts import UNKNOWN


def confusion(truth: np.ndarray, result: np.ndarray, classes: int) -> np.ndarray:
    """Pixels by truth and result, int64 [classes, classes + 1], of two uint8 label pictures [H, W].

    `classes` counts the background. Labels that are neither a class nor 255 raise ValueError.
    """
    if truth.shape != result.shape:
        raise ValueError(f"the truth is {_size(truth)}, the result {_size(result)}")
    pairs = np.left_shift(truth, 8, dtype=np.uint16) | result
    joint = np.bincount(pairs.ravel(), minlength=1 << 16).reshape(256, 256)
    for what, found in (("the truth", joint.sum(1)), ("the result", joint.sum(0))):
        if (outside := np.flatnonzero(found[classes:UNKNOWN])).size:
            raise ValueError(f"{what} holds {outside[0] + classes}: no class (0..{classes - 1}) and not 255")
    return np.concatenate([joint[:classes, :classes], joint[:classes, UNKNOWN:]], axis=1)


def _size(labels: np.ndarray) -> str:
    return "x".join(str(side) for side in labels.shape[::-1])


def counts(table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True positives, false positives and false negatives of each class, int64 [..., C+1]."""
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    return hits, table[..., :-1].sum(-2) - hits, table.sum(-1) - hits


def iou(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    """Intersection over union, TP / (TP + FP + FN)."""
    return _ratio(tp, tp + fp + fn)


def precision(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    """TP / (TP + FP): how much of what was marked is right."""
    return _ratio(tp, tp + fp)


def recall(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    """TP / (TP + FN): how much of the object was found."""
    return _ratio(tp, tp + fn)


def over_segmentation(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    """FP / (TP + FP + FN), SEAM's false-positive rate: over + under + IoU = 1."""
    return _ratio(fp, tp + fp + fn)


def under_segmentation(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    """FN / (TP + FP + FN), SEAM's false-negative rate."""
    return _ratio(fn, tp + fp + fn)


METRICS = {
    "miou": iou,
    "precision": precision,
    "recall": recall,
    "over_segmentation": over_segmentation,
    "under_segmentation": under_segmentation,
}  # name of the mean -> metric of a class


def means(table: np.ndarray) -> dict[str, np.ndarray]:
    """The mean of every metric over the classes that occur, fractions [...]; nan where none does."""
    tp, fp, fn = counts(table)
    occurs = (tp + fp + fn) > 0
    number = occurs.sum(-1)
    with np.errstate(invalid="ignore"):
        return {name: (metric(tp, fp, fn) * occurs).sum(-1) / number for name, metric in METRICS.items()}


def pixel_accuracy(table: np.ndarray) -> np.ndarray:
    """Share of the non-void pixels that are right, a fraction [...]."""
    with np.errstate(invalid="ignore"):
        return np.trace(table, axis1=-2, axis2=-1) / table.sum((-2, -1))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)
