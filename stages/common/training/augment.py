"""Random resize, crop, flip and colour jitter of a picture and its mask; NumPy and OpenCV only."""

import cv2
import numpy as np

from stages.common.artifacts import UNKNOWN
from stages.common.training import rand_augment
from stages.common.training.params import Augment

Array = np.ndarray


def augment(
    picture: Array, mask: Array | None, params: Augment, fill: Array, rng: np.random.Generator
) -> tuple[Array, Array | None]:
    """One random view, [crop, crop, 3] uint8 and its mask [crop, crop] uint8.

    What lies outside the picture is `fill` (RGB, uint8 [3]) in the picture and 255 in the mask. A mask may
    have layers, [H, W, L], which move together.
    """
    picture, mask = _resize(picture, mask, params, rng)
    if rng.random() < params.flip:
        picture, mask = picture[:, ::-1], None if mask is None else mask[:, ::-1]
    if params.rand_augment is not None:
        assert mask is None  # the schema sees to it
        picture = rand_augment.changed(picture, params.rand_augment, fill, rng)
    picture, mask = _crop(picture, mask, params.crop, fill, rng)
    picture = jitter(picture, params.jitter, rng)
    return picture if params.rand_augment is None else rand_augment.squared(picture, rng), mask


def resize(picture: Array, width: int, height: int) -> Array:
    """Bilinear; areas are averaged where the picture shrinks (bilinear alone would alias)."""
    shrinks = width < picture.shape[1] or height < picture.shape[0]
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _resize(
    picture: Array, mask: Array | None, params: Augment, rng: np.random.Generator
) -> tuple[Array, Array | None]:
    height, width = picture.shape[:2]
    factor = 1.0
    if params.longest_side is not None:
        factor = rng.uniform(params.longest_side[0], params.longest_side[1]) / max(height, width)
    elif params.scale is not None:
        factor = rng.uniform(params.scale[0], params.scale[1])
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    if size == (width, height):
        return picture, mask
    if mask is not None:
        mask = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return resize(picture, *size), mask


def _crop(
    picture: Array, mask: Array | None, crop: int, fill: Array, rng: np.random.Generator
) -> tuple[Array, Array | None]:
    """A random window; a smaller picture lies at a random place of the window."""
    out = np.broadcast_to(fill, (crop, crop, 3)).copy()
    out_mask = None if mask is None else np.full((crop, crop, *mask.shape[2:]), UNKNOWN, np.uint8)
    source, target = [], []
    for length in picture.shape[:2]:
        size = min(length, crop)
        start = int(rng.integers(length - size + 1))
        place = int(rng.integers(crop - size + 1))
        source.append(slice(start, start + size))
        target.append(slice(place, place + size))
    out[target[0], target[1]] = picture[source[0], source[1]]
    if mask is not None and out_mask is not None:
        out_mask[target[0], target[1]] = mask[source[0], source[1]]
    return out, out_mask


def jitter(picture: Array, strength: list[float], rng: np.random.Generator) -> Array:
    """Brightness, contrast, saturation (factors 1 +- s) and hue (a shift of +- s turns)."""
    if not any(strength):
        return picture
    brightness, contrast, saturation = (1 + s * rng.uniform(-1, 1) for s in strength[:3])
    hue = strength[3] * rng.uniform(-1, 1)
    x = picture.astype(np.float32) * (brightness / 255)
    grey = x @ np.array([0.299, 0.587, 0.114], np.float32)
    x = (x - grey.mean()) * contrast + grey.mean()
    x = np.clip((x - grey[..., None]) * saturation + grey[..., None], 0, 1).astype(np.float32)
    if hue:
        hsv = cv2.cvtColor(x, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0] + 360 * hue) % 360
        x = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return np.rint(x * 255).astype(np.uint8)


def normalise(picture: Array, mean: list[float], std: list[float]) -> Array:
    """uint8 [H, W, 3] to float32 [3, H, W], (RGB / 255 - mean) / std."""
    x = (picture.astype(np.float32) / 255 - np.array(mean, np.float32)) / np.array(std, np.float32)
    return np.ascontiguousarray(x.transpose(2, 0, 1))


def fill_colour(mean: list[float]) -> Array:
    """The colour that normalises to about zero, uint8 [3]."""
    return np.rint(np.array(mean, np.float32) * 255).clip(0, 255).astype(np.uint8)
