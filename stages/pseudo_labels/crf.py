"""Pseudo-labels without affinities: thresholded seeds, refined by a dense CRF."""

import numpy as np

from stages.common.crf import infer_labels, unary_from_labels
from stages.common.crf_params import Crf
from stages.common.labels import threshold_labels, upsample
from stages.pseudo_labels.params import CrfMethod


def needs(params: CrfMethod) -> set[str]:
    return {"picture"}


def labels(
    maps: np.ndarray,
    classes: np.ndarray,
    size: tuple[int, int],
    params: CrfMethod,
    crf: Crf,
    picture: np.ndarray | None = None,
    affinity: dict[str, np.ndarray] | None = None,
) -> np.ndarray:
    """Labels uint8 [H, W] of seeds' `maps` [K, h', w'], thresholded at full size, then CRF."""
    assert picture is not None
    positions = threshold_labels(upsample(maps, size), np.arange(1, len(maps) + 1), params.threshold)
    unary = unary_from_labels(positions, len(maps) + 1, params.gt_prob)
    return infer_labels(picture, [unary], classes, crf)[0]
