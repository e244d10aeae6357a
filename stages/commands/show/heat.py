"""Numbers per pixel as colours: maps, affinities, entropy."""

import cv2
import numpy as np

from stages.pseudo_labels.random_walk import transition


def heat(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Values [h, w] in 0..1 as colours from black over red to light yellow, RGB uint8 [H, W, 3] of `size`."""
    large = cv2.resize(values.astype(np.float32), size[::-1], interpolation=cv2.INTER_NEAREST)
    grey = np.rint(np.clip(large, 0, 1) * 255).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)


def heat_over(picture: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The same over a picture RGB uint8 [H, W, 3], which shows through more where values [H, W] are low."""
    values = np.clip(values, 0, 1)[..., None]
    share = 0.25 + 0.55 * values
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    colours = heat(values[..., 0], picture.shape[:2])
    return ((1 - share) * grey + share * colours).astype(np.uint8)


def boundaries(affinities: np.ndarray, offsets: np.ndarray, beta: float) -> np.ndarray:
    """1 - the mean of affinity^beta with all neighbours of a cell, float [h, w]: high at boundaries.

    `affinities` [P, h, w] and `offsets` [P, 2] as for `transition`, whose diagonal is 1 / (1 + their sum),
    and 1 / (1 + their number) where all are 1.
    """
    sums = 1 / transition(affinities, offsets, beta).diagonal() - 1
    numbers = 1 / transition(np.ones_like(affinities), offsets, 1).diagonal() - 1
    return (1 - sums / np.maximum(numbers, 1)).reshape(affinities.shape[1:])
