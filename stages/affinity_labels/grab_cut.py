"""The object in a box: GrabCut (Rother et al., 2004), the same in every process."""

import cv2
import numpy as np

from stages.affinity_labels.merging import area_of
from stages.affinity_labels.params import GrabCut
from stages.common.annotations import Box


def object_of(box: Box, picture: np.ndarray, params: GrabCut) -> np.ndarray:
    """Where the object is, bool [H, W], of the RGB `picture` uint8 [H, W, 3]; nowhere outside of the box.

    All of the box where GrabCut leaves less than `min_share` of it, and where the box fills the picture: then
    there is no ground to compare with.
    """
    whole = np.zeros(picture.shape[:2], bool)
    whole[area_of(box)] = True
    if whole.all():
        return whole
    found = _cut(box, picture, params.iterations)
    return found if found.sum() >= params.min_share * whole.sum() else whole


def _cut(box: Box, picture: np.ndarray, iterations: int) -> np.ndarray:
    """It starts from clusters that are drawn at random: by the seed, whatever was drawn before."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    models = np.zeros((2, 1, 65))  # of the colours of ground and object: none yet
    rectangle = (box.left, box.top, box.right - box.left, box.bottom - box.top)
    cv2.setRNGSeed(0)
    cv2.grabCut(picture, mask, rectangle, models[0], models[1], iterations, cv2.GC_INIT_WITH_RECT)
    return (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
