"""A map of saliency as somebody wrote it: its bytes, as values in 0..1 at the size of the picture."""

import io

import cv2
import numpy as np
from PIL import Image

GREY = ("1", "L", "I;16")  # Pillow's modes
WHITE = {"bool": 1, "uint8": 255, "uint16": 65535}  # by the type of whole numbers


def decoded(content: bytes, suffix: str) -> np.ndarray:
    """The values, float32 [h, w] in 0..1. ValueError saying what is wrong with the file."""
    values = _array(content, suffix == ".npz") if suffix in (".npy", ".npz") else _picture(content)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"is an array of shape {values.shape}, a map has two sides")
    white = WHITE.get(values.dtype.name)
    if white is None and values.dtype.kind != "f":
        raise ValueError(f"holds numbers of type {values.dtype}, not {', '.join(WHITE)} or floats")
    found: np.ndarray = np.asarray(values / (white or 1), np.float32)
    if not (found.min() >= 0 and found.max() <= 1):  # true of NaN, too
        raise ValueError(f"holds values from {found.min():g} to {found.max():g}, a map those of 0 to 1")
    return found


def scaled(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The map [h, w] at the picture's `size` (H, W). ValueError where it is not of its shape.

    Sides may be off by less than a pixel of what one scale gives.
    """
    (height, width), (high, wide) = values.shape, size
    if abs(height * wide - width * high) >= high + wide:
        raise ValueError(f"is {width}x{height}, which is not the shape of the picture, {wide}x{high}")
    if values.shape == size:
        return values
    smaller = height * width > high * wide
    return cv2.resize(values, (wide, high), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _array(content: bytes, archive: bool) -> np.ndarray:
    try:
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
        if not archive:
            return np.asarray(loaded)
        names = loaded.files
        if len(names) == 1:
            return np.asarray(loaded[names[0]])
    except Exception as error:  # numpy's reader raises many kinds on damaged files
        raise ValueError(f"is not readable: {error}") from None
    raise ValueError(f"holds {len(names)} arrays ({', '.join(names[:5])}), not one")


def _picture(content: bytes) -> np.ndarray:
    """uint8, uint16 or bool [h, w] of a grey PNG or JPEG; of a coloured one whose channels are equal, too."""
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
            mode = image.mode
            values = np.asarray(image.convert("RGB") if mode in ("RGB", "P") else image)
    except Exception as error:  # Pillow's readers raise nearly any kind on damaged files
        raise ValueError(f"is no readable PNG or JPEG: {error}") from None
    if mode in GREY:
        return values
    if mode in ("RGB", "P") and (values == values[..., :1]).all():
        return values[..., 0]
    raise ValueError(f"is a picture of mode {mode} with colours or transparency, a map is grey")
