"""What a rung left of one picture, as labels: masks as they lie there, maps at a threshold."""

from pathlib import Path

import numpy as np

from stages.common.artifacts import read_mask, read_npz
from stages.common.labels import threshold_labels, upsample


def read_labels(file: Path, size: tuple[int, ...], classes: int, threshold: float) -> np.ndarray:
    """Labels uint8 [H, W] of a result: a mask (.png), or maps (.npz) at `threshold`.

    `size` is (height, width) of the picture; `classes` counts the background. ValueError naming what is
    wrong with a damaged file or one of another picture.
    """
    if file.suffix != ".npz":
        return read_mask(file)
    maps, present = read_maps(file, size, classes)
    return threshold_labels(maps, present, threshold)


def read_maps(file: Path, size: tuple[int, ...], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Maps at full size, float32 [K, H, W], and their class indices [K]."""
    arrays = read_npz(file)
    maps, present, found = arrays["maps"], arrays["classes"], tuple(arrays["size"].tolist())
    if found != size:
        raise ValueError(f"the truth is {size[1]}x{size[0]}, the maps are of {found[1]}x{found[0]}")
    if len(maps) != len(present) or not all(0 < index < classes for index in present):
        raise ValueError(f"{len(maps)} maps of the classes {present.tolist()}: classes are 1..{classes - 1}")
    if not np.isfinite(maps).all():
        raise ValueError("the maps hold NaN or infinity")
    return upsample(maps, (size[0], size[1])), present
