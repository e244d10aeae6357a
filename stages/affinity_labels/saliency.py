"""Affinity labels as P-NOC makes them: object and ground of a saliency map, classes of the seeds."""

import numpy as np

from stages.affinity_labels.params import Saliency
from stages.common.artifacts import UNKNOWN
from stages.common.crf import infer_labels, unary_from_labels
from stages.common.crf_params import Crf
from stages.common.labels import threshold_labels

OBJECT = np.array([1])  # of two labels, the ground being 0


def labels(
    maps: np.ndarray,
    classes: np.ndarray,
    picture: np.ndarray,
    params: Saliency,
    crf: Crf,
    salient: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Affinity labels and plain CRF labels, uint8 [H, W] each.

    `maps` [K, H, W] in 0..1, `classes` [K], the RGB `picture` uint8 [H, W, 3], and the saliency map
    `salient` [H, W] in 0..1. DAVID, "P-NOC": b = CRF(1[s > threshold_saliency]), of two labels;
    F = CRF(b argmax[threshold_seeds, maps]). Plain labels are F. A picture without a class is ground.
    """
    ground = np.zeros(picture.shape[:2], np.uint8)
    if not len(classes):
        return ground, ground
    unary = unary_from_labels((salient > params.threshold_saliency).astype(np.int64), 2, params.gt_prob)
    (objects,) = infer_labels(picture, [unary], OBJECT, crf)
    positions = threshold_labels(maps, np.arange(1, len(maps) + 1), params.threshold_seeds)
    unary = unary_from_labels(objects * positions, len(maps) + 1, params.gt_prob)
    (found,) = infer_labels(picture, [unary], classes, crf)
    return combine(objects, found), found


def combine(objects: np.ndarray, found: np.ndarray) -> np.ndarray:
    """The class where one was found; ground where there is neither class nor object; the rest is 255."""
    return np.where(found > 0, found, np.where(objects == 0, 0, UNKNOWN)).astype(np.uint8)
