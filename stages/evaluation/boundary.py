"""Scores near the boundaries of the truth and away from them, over many widths in one pass (CHEN 3.4.4).

A result that moves along an edge loses little mIoU, for most pixels lie far from one. So the pixels are
parted by their distance to the truth's boundary: those nearer than a width are its band, the others its
interior, and each has a table of counts of its own. The published evaluators dilate the boundary anew for
every width. Here each pixel is counted once, in the ring between two widths that it lies in; sums over the
rings give every band, and what is left of the whole its interior, equal to the pixel.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from stages.common.artifacts import UNKNOWN
from stages.common.edges import edges
from stages.evaluation.params import Void

BAND, INTERIOR = "band", "interior"


def distance(truth: np.ndarray, void: Void) -> np.ndarray:
    """Pixels to the boundary of the truth, uint8 [H, W] by uint8 [H, W]: chessboard, 0 on it, at most 255.

    `label`: the boundary is the edges of all labels, void (255) among them. `trimap`: the boundary is the
    void that VOC draws along objects, and 0 are the pixels beside it, as DeepLab's evaluator has it
    (MyVOCevalsegBoundary.m). The boundary of a picture without any is 255 away.
    """
    there = edges(truth) if void == "label" else truth == UNKNOWN
    if not there.any():
        return np.full(truth.shape, 255, np.uint8)
    found = cv2.distanceTransform((~there).astype(np.uint8), cv2.DIST_C, 3)
    return np.clip(found - (void == "trimap"), 0, 255).astype(np.uint8)


def rings(truth: np.ndarray, widths: Sequence[int], void: Void) -> np.ndarray:
    """How many of the widths, in rising order, a pixel is too far from the boundary for, uint8 [H, W]."""
    known = np.searchsorted(np.asarray(widths), np.arange(256), side="right").astype(np.uint8)
    return known[distance(truth, void)]


def bands(by_ring: np.ndarray) -> np.ndarray:
    """The table of the band of each width, int64 [len(widths), C, C + 1], of `metrics.confusions` by ring."""
    return np.asarray(by_ring.cumsum(0)[:-1])


def interiors(by_ring: np.ndarray) -> np.ndarray:
    """The table of what lies outside the band of each width, int64 [len(widths), C, C + 1]."""
    return np.asarray(by_ring.sum(0) - bands(by_ring))
