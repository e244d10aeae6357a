"""Regions that somebody made, as SAM's masks: they may overlap, and leave pixels bare."""

import numpy as np

from stages.pseudo_labels import region_file
from stages.pseudo_labels.merge import of_masks
from stages.pseudo_labels.params import Masks

NEEDS = "regions"


def merged(
    labels: np.ndarray, options: Masks, picture: np.ndarray | None, content: bytes | None
) -> np.ndarray:
    assert content is not None
    return of_masks(labels, masks(content, labels.shape), options)


def masks(content: bytes, size: tuple[int, ...]) -> list[np.ndarray]:
    """bool [H, W] of each region of a file's content.

    ValueError where it cannot be read, or is of another `size` (H, W) than the picture.
    """
    regions = region_file.read(content)
    if regions.size != size:
        (height, width), (high, wide) = regions.size, size
        raise ValueError(f"its regions are of {width}x{height} pixels, the picture has {wide}x{high}")
    return region_file.pixels(regions)
