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
    return np.asarray(confusions(truth, result, np.zeros_like(truth), 1, classes)[0])


def confusions(
    truth: np.ndarray, result: np.ndarray, part: np.ndarray, parts: int, classes: int
) -> np.ndarray:
    """A table as of `confusion` for each part of the picture, int64 [parts, classes, classes + 1].

    `part` uint8 [H, W] says which one, below `parts`, a pixel is of.
    """
    if truth.shape != result.shape:
        raise ValueError(f"the truth is {size(truth)}, the result {size(result)}")
    pairs = np.left_shift(truth, 8, dtype=np.uint32) | result
    found = np.bincount((np.left_shift(part, 16, dtype=np.uint32) | pairs).ravel(), minlength=parts << 16)
    joint = found.reshape(parts, 256, 256)
    for what, labels in (("the truth", joint.sum((0, 2))), ("the result", joint.sum((0, 1)))):
        if (outside := np.flatnonzero(labels[classes:UNKNOWN])).size:
            raise ValueError(f"{what} holds {outside[0] + classes}: no class (0..{classes - 1}) and not 255")
    return np.concatenate([joint[:, :classes, :classes], joint[:, :classes, UNKNOWN:]], axis=2)


def size(labels: np.ndarray) -> str:
    """Width and height of a picture's pixels, as errors tell them."""
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


def negatives(table: np.ndarray) -> np.ndarray:
    """True negatives of each class, int64 [..., C+1]: neither true nor marked; unknown marks no class."""
    return np.asarray(table.sum((-2, -1))[..., None] - sum(counts(table)))


def f1(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    """2 TP / (2 TP + FP + FN), also called Dice: 2 I / (1 + I) of the IoU (CHEN 3.4.2)."""
    return _ratio(2 * tp, 2 * tp + fp + fn)


def specificity(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
    """TN / (TN + FP): how much of what is not of the class was left out (CHEN 3.5.2)."""
    return _ratio(tn, tn + fp)


def accuracy(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
    """(TP + TN) / all of one class against the rest (CHEN 3.5.2)."""
    return _ratio(tp + tn, tp + fp + fn + tn)


def e_measure(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
    """How alike truth and result are, both less their mean (Fan et al., 2018), a fraction: 1 if equal.

    At a pixel truth and result are 0 or 1; a and b are what they are above their means mu and nu, and the
    alignment x = 2ab / (a^2 + b^2), 1 where both are 0. E is the mean over the pixels of (1 + x)^2 / 4.
    There are but four kinds of pixels, so counts are enough. Without a true pixel E is 1 - nu, with no
    other it is nu; without any pixel 0.
    """
    every = tp + fp + fn + tn
    mu, nu = _ratio(tp + fn, every), _ratio(tp + fp, every)
    total = np.zeros(np.shape(every))
    for pixels, a, b in ((tp, 1 - mu, 1 - nu), (fp, -mu, 1 - nu), (fn, 1 - mu, -nu), (tn, -mu, -nu)):
        squares = a * a + b * b
        aligned = np.divide(2 * a * b, squares, out=np.ones(np.shape(every)), where=squares > 0)
        total = total + pixels * (1 + aligned) ** 2 / 4
    found = np.where(tp + fn == 0, 1 - nu, np.where(fp + tn == 0, nu, _ratio(total, every)))
    return np.where(every > 0, found, 0)


def decisions(table: np.ndarray) -> dict[str, float]:
    """Of results that leave pixels unknown (CHEN 4.4.3), as fractions of the non-void pixels.

    `decided`, the area ratio, are those with an answer, `correct` those with the right one, `wrong` the
    difference; `decided_accuracy` is the share of the decided ones that are right, 0 where none is.
    """
    every, right, answered = table.sum(), np.trace(table), table[:, :-1].sum()
    correct, decided = (float(_ratio(part, every)) for part in (right, answered))
    return {
        "decided": decided,
        "decided_accuracy": float(_ratio(right, answered)),
        "correct": correct,
        "wrong": decided - correct,
    }


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)
