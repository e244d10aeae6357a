"""Edges of labels."""

import cv2
import numpy as np

AROUND = np.ones((3, 3), np.uint8)  # a pixel and its 8 neighbours


def edges(labels: np.ndarray) -> np.ndarray:
    """Whether a pixel of uint8 [H, W] has a neighbour, of 8, with another label; bool [H, W] (CHEN 3.3.3).

    So both sides of a boundary are marked, and at the picture's border labels go on as they are. 255 is a
    label too.
    """
    highest, lowest = (
        cv2.morphologyEx(labels, operation, AROUND, borderType=cv2.BORDER_REPLICATE)
        for operation in (cv2.MORPH_DILATE, cv2.MORPH_ERODE)
    )
    return np.asarray(highest != lowest)
