"""The threshold curve of attribution maps in one pass over the pictures.

The evaluators of the published recipes label and count every picture once per threshold. Here each
pixel is counted once, in a joint histogram [truth, strongest class, number of thresholds below its
value]; a sum from the right then gives the table of counts at every threshold, equal to the pixel.
"""

import numpy as np


def thresholds(bins: int) -> np.ndarray:
    """The thresholds of the curve, i / bins for i in 0..bins-1, float64 [bins]."""
    return np.arange(bins) / bins


def empty_histogram(classes: int, bins: int) -> np.ndarray:
    """int64 [classes, classes, bins + 1]; `classes` counts the background."""
    return np.zeros((classes, classes, bins + 1), np.int64)


def count(truth: np.ndarray, maps: np.ndarray, classes: int, bins: int) -> np.ndarray:
    """What one picture adds to the histogram at `columns`, int64 [classes, max(K, 1), bins + 1].

    Truth uint8 [H, W], maps float [K, H, W].
    """
    depth, many = bins + 1, len(maps)
    if not many:  # all is background, at every threshold
        found = np.zeros((classes, 1, depth), np.int64)
        found[:, 0, 0] = np.bincount(truth.ravel(), minlength=256)[:classes]
        return found
    rows = np.full(256, classes, np.int32)  # void goes into a row behind the last, which is dropped
    rows[:classes] = np.arange(classes)
    value, place = strongest(maps)
    index = (rows * many)[truth] + place
    index = index * np.int32(depth) + thresholds_below(value, bins)
    found = np.bincount(index.ravel(), minlength=(classes + 1) * many * depth)
    return found.reshape(classes + 1, many, depth)[:classes]


def columns(present: np.ndarray) -> np.ndarray:
    """The places in the histogram of what `count` gives of maps of the class indices [K]."""
    return present if len(present) else np.zeros(1, np.int16)


def strongest(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest of the K values of each pixel and its place (the first, if equal), int32 [H, W]."""
    value, place = maps[0].copy(), np.zeros(maps.shape[1:], np.int32)
    for k in range(1, len(maps)):  # several times as fast as argmax and take along the first axis
        np.copyto(place, k, where=maps[k] > value)
        np.maximum(value, maps[k], out=value)
    return value, place


def thresholds_below(value: np.ndarray, bins: int) -> np.ndarray:
    """How many thresholds of the curve are less than each value, int32: it is an object at those.

    Exact, without a search: let c be value * bins, rounded and cut. Rounding keeps order, so c is
    at most one off and `value > edge[c]` corrects it. The edges are in the values' own type, as
    labelling at a threshold compares.
    """
    edges = np.append(thresholds(bins), np.inf).astype(value.dtype)
    lower = np.clip(value * value.dtype.type(bins), 0, bins).astype(np.int32)
    return lower + (value > edges[lower])


def tables(histogram: np.ndarray) -> np.ndarray:
    """The table of counts at every threshold, int64 [bins, classes, classes + 1] (see metrics.py)."""
    number, _, depth = histogram.shape
    above = histogram[..., ::-1].cumsum(-1)[..., ::-1]  # [..., b]: pixels above at least b thresholds
    result = np.zeros((depth - 1, number, number + 1), np.int64)
    result[..., 1:number] = np.moveaxis(above[:, 1:, 1:], -1, 0)
    result[..., 0] = histogram.sum((1, 2)) - result.sum(-1)
    return result


def best(miou: np.ndarray) -> int:
    """The row of the curve with the highest mIoU; of equal ones the lowest threshold."""
    return int(np.argmax(miou))
