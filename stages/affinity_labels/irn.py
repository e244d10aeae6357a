"""Affinity labels as IRN makes them: labels at two thresholds, each refined by a CRF."""

import numpy as np

from stages.affinity_labels.params import Irn
from stages.common.artifacts import UNKNOWN
from stages.common.crf import infer_labels, unary_from_labels
from stages.common.crf_params import Crf
from stages.common.labels import threshold_labels


def labels(
    maps: np.ndarray, classes: np.ndarray, picture: np.ndarray, params: Irn, crf: Crf
) -> tuple[np.ndarray, np.ndarray]:
    """Affinity labels and plain CRF labels, uint8 [H, W] each.

    `maps` [K, H, W] in 0..1, `classes` [K], the RGB `picture` uint8 [H, W, 3]. One lattice serves
    the three runs.
    """
    thresholds = (params.threshold_foreground, params.threshold_background, params.threshold_plain)
    positions = np.arange(1, len(maps) + 1)
    unaries = (
        unary_from_labels(threshold_labels(maps, positions, threshold), len(maps) + 1, params.gt_prob)
        for threshold in thresholds
    )
    foreground, background, plain = infer_labels(picture, unaries, classes, crf)
    return combine(foreground, background), plain


def combine(foreground: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Labels of the runs at the high and the low threshold to confident labels (PEERS 2.4).

    Background in both runs is background, else what the high threshold's run calls foreground is
    that class, and the rest is 255.
    """
    confident = np.where(foreground == 0, UNKNOWN, foreground)
    return np.where((foreground == 0) & (background == 0), 0, confident)
