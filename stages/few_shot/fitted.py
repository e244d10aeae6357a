"""Pictures of any size in the square that the network was trained on, which saw crops at their own scale."""

import cv2
import numpy as np

from stages.common.artifacts import UNKNOWN
from stages.common.training.augment import resize


def fitted(picture: np.ndarray, side: int, fill: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """A picture uint8 [H, W, 3] as large as fits into a square, at its upper left, and its size there."""
    size = _fits(picture, side)
    out = np.broadcast_to(fill, (side, side, 3)).copy()
    out[: size[0], : size[1]] = resize(picture, size[1], size[0])
    return out, size


def fitted_mask(mask: np.ndarray, side: int) -> np.ndarray:
    """A mask uint8 [H, W] where `fitted` puts its picture, 255 around it."""
    size = _fits(mask, side)
    out = np.full((side, side), UNKNOWN, np.uint8)
    out[: size[0], : size[1]] = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return out


def _fits(picture: np.ndarray, side: int) -> tuple[int, int]:
    """Height and width with the longest of them `side`."""
    factor = side / max(picture.shape[:2])
    height, width = (max(1, round(length * factor)) for length in picture.shape[:2])
    return height, width
