"""Affinity labels as PSA makes them: soft background scores (1 - max)^alpha into a CRF."""

import numpy as np

from stages.affinity_labels.params import Psa
from stages.common.artifacts import UNKNOWN
from stages.common.crf import infer_labels, unary_from_scores
from stages.common.crf_params import Crf
from stages.common.labels import alpha_scores


def labels(
    maps: np.ndarray, classes: np.ndarray, picture: np.ndarray, params: Psa, crf: Crf
) -> tuple[np.ndarray, np.ndarray]:
    """Affinity labels and plain CRF labels, uint8 [H, W] each.

    `maps` [K, H, W] in 0..1, `classes` [K], the RGB `picture` uint8 [H, W, 3]. One lattice serves
    the three runs.
    """
    alphas = (params.alpha_foreground, params.alpha_background, params.alpha_plain)
    unaries = (unary_from_scores(alpha_scores(maps, alpha)) for alpha in alphas)
    much, little, plain = infer_labels(picture, unaries, classes, crf)
    return combine(much, little), plain


def combine(much: np.ndarray, little: np.ndarray) -> np.ndarray:
    """Labels of the runs with much and little background to confident labels (PEERS 2.4).

    Foreground in spite of much background is foreground; background in spite of little is
    background; the rest is 255. PSA also voids pixels whose best probability is under 1e-5: those
    are its padding, a CRF's probabilities sum to one.
    """
    confident = np.where(much == 0, UNKNOWN, much)
    return np.where(little == 0, 0, confident)
