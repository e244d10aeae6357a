"""Regions of like colour, as large as the picture has them (Felzenszwalb and Huttenlocher, 2004)."""

import numpy as np
from skimage.segmentation import felzenszwalb

from stages.pseudo_labels.merge import of_parts
from stages.pseudo_labels.params import Felzenszwalb, FelzenszwalbRegions

NEEDS = "picture"


def merged(
    labels: np.ndarray, options: Felzenszwalb, picture: np.ndarray | None, content: bytes | None
) -> np.ndarray:
    assert picture is not None
    return of_parts(labels, parts(picture, options), options)


def parts(picture: np.ndarray, options: FelzenszwalbRegions) -> np.ndarray:
    """The number of each pixel's region, from 0, int [H, W], of the RGB `picture` uint8 [H, W, 3]."""
    return felzenszwalb(
        picture, scale=options.scale, sigma=options.sigma, min_size=options.min_size, channel_axis=-1
    )
