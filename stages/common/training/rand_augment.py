"""RandAugment with FixMatch's operations and levels, as Puzzle-CAM's code and P-NOC's have it.

Of the operations some move the pixels, so a mask would no longer fit: it is for trainings on labels alone.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from stages.common.training.params import RandAugment

Array = np.ndarray
Picture = Image.Image
Colour = tuple[int, ...]  # RGB, of what comes in from outside the picture
Operation = Callable[[Picture, int, int, Colour], Picture]  # of a level in tenths, and a sign: 1 or -1

LEVELS = 10
SIDE, GREY = 16, 127  # of the square: pixels, brightness


def changed(picture: Array, params: RandAugment, fill: Array, rng: np.random.Generator) -> Array:
    """`n` operations in turn, any of them again, each with probability 0.5; uint8 RGB [H, W, 3].

    What comes in from outside is `fill` (RGB, uint8 [3]); in the published code it is black.
    """
    image, colour = Image.fromarray(picture), tuple(int(value) for value in fill)
    for number in rng.integers(len(OPERATIONS), size=params.n):
        level, sign = int(rng.integers(1, params.m)), int(rng.choice((-1, 1)))
        if rng.random() < 0.5:
            image = OPERATIONS[number](image, level, sign, colour)
    return np.asarray(image)


def squared(picture: Array, rng: np.random.Generator) -> Array:
    """The picture [H, W, 3] with a grey square about a random pixel, less of it at the edge.

    The published code draws it before the crop, which may then cut it off.
    """
    out = picture.copy()
    top, left = (max(0, int(rng.integers(length)) - SIDE // 2) for length in picture.shape[:2])
    out[top : top + SIDE, left : left + SIDE] = GREY
    return out


def _identity(image: Picture, level: int, sign: int, colour: Colour) -> Picture:
    return image


def _autocontrast(image: Picture, level: int, sign: int, colour: Colour) -> Picture:
    return ImageOps.autocontrast(image)


def _equalize(image: Picture, level: int, sign: int, colour: Colour) -> Picture:
    return ImageOps.equalize(image)


def _brightness(image: Picture, level: int, sign: int, colour: Colour) -> Picture:
    return ImageEnhance.Brightness(image).enhance(_factor(level))


def _colour(image: Picture, level: int, sign: int, colour: Colour) -> Picture:
    return ImageEnhance.Color(image).enhance(_factor(level))


def _contrast(image: Picture, level: int, sign: int, colour: Colour) -> Picture:
    return ImageEnhance.Contrast(image).enhance(_factor(level))


def _sharpness(image: Picture, level: int, sign: int, colour: Colour) -> Picture:
    return ImageEnhance.Sharpness(image).enhance(_factor(level))


def _factor(level: int) -> float:
    """Below 1 at every level: darker, greyer, flatter, softer, and the least so at the highest level."""
    return 0.05 + 0.9 * level / LEVELS


def _posterize(image: Picture, level: int, sign: int, colour: Colour) -> Picture:
    return ImageOps.posterize(image, 4 + 4 * level // LEVELS)


def _solarize(image: Picture, level: int, sign: int, colour: Colour) -> Picture:
    return ImageOps.solarize(image, 256 - 256 * level // LEVELS)


def _rotate(image: Picture, level: int, sign: int, colour: Colour) -> Picture:
    return image.rotate(sign * 3 * level, fillcolor=colour)


def _shear_x(image: Picture, level: int, sign: int, colour: Colour) -> Picture:
    return _affine(image, (1, sign * 0.3 * level / LEVELS, 0, 0, 1, 0), colour)


def _shear_y(image: Picture, level: int, sign: int, colour: Colour) -> Picture:
    return _affine(image, (1, 0, 0, sign * 0.3 * level / LEVELS, 1, 0), colour)


def _translate_x(image: Picture, level: int, sign: int, colour: Colour) -> Picture:
    return _affine(image, (1, 0, sign * int(0.3 * image.width * level / LEVELS), 0, 1, 0), colour)


def _translate_y(image: Picture, level: int, sign: int, colour: Colour) -> Picture:
    return _affine(image, (1, 0, 0, 0, 1, sign * int(0.3 * image.height * level / LEVELS)), colour)


def _affine(image: Picture, rows: tuple[float, ...], colour: Colour) -> Picture:
    """Pixel (x, y) comes from (a x + b y + c, d x + e y + f)."""
    return image.transform(image.size, Image.Transform.AFFINE, rows, fillcolor=colour)


OPERATIONS: tuple[Operation, ...] = (
    *(_identity, _autocontrast, _equalize, _brightness, _colour, _contrast, _sharpness),
    *(_posterize, _solarize, _rotate, _shear_x, _shear_y, _translate_x, _translate_y),
)
