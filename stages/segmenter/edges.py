"""Semantic edges of labels that are unknown in places, and distances to edges."""

import cv2
import numpy as np

from stages.common.artifacts import UNKNOWN
from stages.common.edges import AROUND, edges


def known_edges(labels: np.ndarray) -> np.ndarray:
    """1 on an edge of `edges`, 0 elsewhere, and 255 where one of the nine pixels is unknown; uint8 [H, W]."""
    unknown = cv2.dilate((labels == UNKNOWN).astype(np.uint8), AROUND)
    return np.where(unknown, UNKNOWN, edges(labels)).astype(np.uint8)


def distance(marked: np.ndarray) -> np.ndarray:
    """To the nearest marked pixel (bool [H, W]) in pixels, 0 on it, inf where there is none; float32."""
    if not marked.any():
        return np.full(marked.shape, np.inf, np.float32)
    found = cv2.distanceTransform((~marked).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.sqrt(np.rint(found * found))  # of whole numbers: OpenCV's last digits depend on the memory
