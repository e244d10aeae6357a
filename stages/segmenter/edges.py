"""Semantic edges of labels, and distances to them."""

import cv2
import numpy as np

from stages.common.artifacts import UNKNOWN

SQUARE = np.ones((3, 3), np.uint8)


def edges(labels: np.ndarray) -> np.ndarray:
    """1 where not all of the eight neighbours have the pixel's label, else 0 (CHEN 3.3.3); uint8 [H, W].

    So both sides of a boundary are marked. At the picture's border the labels go on as they are. Unknown
    (255) where one of the nine is.
    """
    wide = cv2.copyMakeBorder(labels, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    high, low = (of(wide, SQUARE)[1:-1, 1:-1] for of in (cv2.dilate, cv2.erode))
    return np.where(high == UNKNOWN, UNKNOWN, high != low).astype(np.uint8)


def distance(marked: np.ndarray) -> np.ndarray:
    """To the nearest marked pixel (bool [H, W]) in pixels, 0 on it, inf where there is none; float32."""
    if not marked.any():
        return np.full(marked.shape, np.inf, np.float32)
    return cv2.distanceTransform((~marked).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
