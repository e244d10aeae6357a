"""Scores of episodes from their counts alone (ZHANG 5.4.2): IoU by class, mIoU and FB-IoU."""

import numpy as np


def counts(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """int64 [2, 2] of pixels, rows what is there and columns what was found; truth 255 does not count."""
    known = truth != 255
    return np.bincount(2 * truth[known].astype(int) + found[known], minlength=4).reshape(2, 2)


def iou(tables: np.ndarray) -> np.ndarray:
    """Of the object, of counts [..., 2, 2]; nan where there is none and none was found."""
    hits = tables[..., 1, 1]
    either = hits + tables[..., 0, 1] + tables[..., 1, 0]
    return np.where(either > 0, hits / np.maximum(either, 1), np.nan)


def class_iou(tables: np.ndarray, labels: np.ndarray, classes: list[int]) -> np.ndarray:
    """IoU of each class over its episodes together, of counts [E, 2, 2] and labels [E]; nan without any."""
    return np.array([iou(tables[labels == label].sum(0)) for label in classes])


def fb_iou(tables: np.ndarray) -> float:
    """The mean of the IoU of object and of ground, over all episodes [E, 2, 2] together."""
    total = tables.sum(0)
    return float(np.nanmean([iou(total), iou(total[::-1, ::-1])]))


def over_runs(values: np.ndarray) -> tuple[float, float | None]:
    """Mean and standard deviation of runs' values; no deviation of one run."""
    return float(np.nanmean(values)), float(np.nanstd(values, ddof=1)) if len(values) > 1 else None
