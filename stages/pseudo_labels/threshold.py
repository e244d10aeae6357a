"""Pseudo-labels without refinement: the seeds at a threshold, to measure what refinement is worth."""

import numpy as np

from stages.common.crf_params import Crf
from stages.common.labels import threshold_labels, upsample
from stages.pseudo_labels.params import Threshold


def needs(params: Threshold) -> set[str]:
    return set()


def labels(
    maps: np.ndarray,
    classes: np.ndarray,
    size: tuple[int, int],
    params: Threshold,
    crf: Crf,
    picture: np.ndarray | None = None,
    affinity: dict[str, np.ndarray] | None = None,
) -> np.ndarray:
    """Labels uint8 [H, W] of seeds' `maps` [K, h', w'], thresholded at full size (H, W) = `size`."""
    return threshold_labels(upsample(maps, size), classes, params.threshold)
