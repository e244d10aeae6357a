"""Strokes and points grow to the superpixels that they lie in (ZHANG 3.6.1): SLIC (Achanta et al., 2012)."""

import numpy as np
from skimage.segmentation import slic

from stages.affinity_labels.params import Superpixels
from stages.common.artifacts import UNKNOWN


def segments(picture: np.ndarray, params: Superpixels) -> np.ndarray:
    """The number of each pixel's superpixel, from 0, int [H, W], of the RGB `picture` uint8 [H, W, 3]."""
    return slic(
        picture,
        n_segments=params.segments,
        compactness=params.compactness,
        sigma=params.sigma,
        start_label=0,
        channel_axis=-1,
    )


def grown(marks: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Each superpixel of `parts` [H, W] as the marks in it, uint8 [H, W]: class indices, 255 no mark.

    One without a mark is 255, and so is one with marks of two classes, those included.
    """
    known = marks != UNKNOWN
    has = np.zeros((int(parts.max()) + 1, UNKNOWN), bool)  # of each superpixel: which classes
    has[parts[known], marks[known]] = True
    labels = np.where(has.sum(1) == 1, has.argmax(1), UNKNOWN)
    return labels[parts].astype(np.uint8)
