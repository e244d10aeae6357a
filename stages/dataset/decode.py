"""One picture or mask in, its canonical form out. Raises ValueError saying what is wrong with the file."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from stages.common.artifacts import UNKNOWN

ORIENTATION = 0x0112  # EXIF
COPIED = {"JPEG": ".jpg", "PNG": ".png"}


@dataclass(frozen=True)
class Decoded:
    """A picture as it is stored: the bytes, their suffix, and the size in pixels."""

    content: bytes
    suffix: str
    width: int
    height: int


def decode_picture(path: Path, max_megapixels: float) -> Decoded:
    """The file itself where it is a plain 8-bit RGB JPEG or PNG; else an RGB PNG of it.

    Grey, palette, RGBA (over white), CMYK, 16 bit, EXIF-rotated and other formats are converted,
    once, here; no later stage needs to know.
    """
    content = _bytes(path)
    image = _open(content, max_megapixels)
    plain = image.mode == "RGB" and image.format in COPIED and image.getexif().get(ORIENTATION, 1) == 1
    if plain and "transparency" not in image.info:
        return Decoded(content, COPIED[image.format or ""], image.width, image.height)
    rgb = _to_rgb(ImageOps.exif_transpose(image))
    buffer = io.BytesIO()
    rgb.save(buffer, "PNG")
    return Decoded(buffer.getvalue(), ".png", rgb.width, rgb.height)


def decode_mask(path: Path, width: int, height: int, classes: int, max_megapixels: float) -> np.ndarray:
    """Class indices uint8 [H, W] of a palette or grey PNG as large as its picture."""
    image = _open(_bytes(path), max_megapixels)
    if image.mode not in ("P", "L"):
        raise ValueError(f"mask is {image.mode}: it must be a palette or grey image of class indices")
    if image.size != (width, height):
        raise ValueError(f"mask is {image.width}x{image.height}, its picture {width}x{height}")
    mask = np.asarray(image, np.uint8).copy()
    strange = sorted(set(np.unique(mask).tolist()) - {*range(classes + 1), UNKNOWN})
    if strange:
        found = ", ".join(map(str, strange[:5]))
        raise ValueError(f"mask holds {found}: allowed are 0 to {classes} and {UNKNOWN}")
    return mask


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None


def _open(content: bytes, max_megapixels: float) -> Image.Image:
    """The decoded image. The size is checked from the header, before a bomb goes off."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own bomb warning: ours is an error
            image = Image.open(io.BytesIO(content))
            if image.width * image.height > max_megapixels * 1e6:
                size = f"{image.width}x{image.height}"
                raise ValueError(f"{size} is more than dataset.max_megapixels ({max_megapixels:g})")
            image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"unreadable or truncated: {str(error).split(' <')[0]}") from None
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":  # 16 bit: Pillow would clip it to white
        values = np.asarray(image, np.float64)
        image = Image.fromarray((values / (65535 / 255) if values.max() > 255 else values).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image.convert("RGB")
