"""One picture or mask in, its canonical form out. Raises ValueError saying what is wrong with the file."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from stages.common.artifacts import UNKNOWN

ORIENTATION = 0x0112  # EXIF
COPIED = {"JPEG": ".jpg", "PNG": ".png"}
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  # none that starts a program, as EPS does


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
    if _is_plain(image, content):
        return Decoded(content, COPIED[image.format or ""], image.width, image.height)
    rgb = _to_rgb(image)
    buffer = io.BytesIO()
    rgb.save(buffer, "PNG")
    return Decoded(buffer.getvalue(), ".png", rgb.width, rgb.height)


def decode_mask(path: Path, width: int, height: int, classes: int, max_megapixels: float) -> np.ndarray:
    """Class indices uint8 [H, W] of a palette or 8-bit grey PNG as large as its picture."""
    content = _bytes(path)
    image = _open(content, max_megapixels, ("PNG",))
    if image.mode not in ("P", "L"):
        raise ValueError(f"mask is {image.mode}: it must be a palette or grey image of class indices")
    if image.mode == "L" and _png_bits(content) != 8:  # Pillow stretches them: index 3 of 2 bits is 255
        raise ValueError(f"mask is grey of {_png_bits(content)} bits: save it as palette or 8-bit grey PNG")
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
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None


def _open(content: bytes, max_megapixels: float, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """The decoded image. The size is checked from the header, before a bomb goes off."""
    try:
        with _limited(max_megapixels):
            image = Image.open(io.BytesIO(content), formats=formats)
            image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        size = str(error).split(" exceeds")[0]
        raise ValueError(f"{size} is more than dataset.max_megapixels ({max_megapixels:g})") from None
    except UnidentifiedImageError:
        raise ValueError(f"unreadable or truncated, or not {'/'.join(formats)}") from None
    except Exception as error:  # Pillow's readers raise nearly any kind on damaged files
        raise ValueError(f"unreadable or truncated: {error}") from None
    return image


@contextmanager
def _limited(max_megapixels: float) -> Iterator[None]:
    """Pillow's check of the size, also that of frames and tiles, with our limit in place of its own."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = int(max_megapixels * 1e6)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, which no stage reads
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _is_plain(image: Image.Image, content: bytes) -> bool:
    if image.mode != "RGB" or image.format not in COPIED or "transparency" in image.info:
        return False
    if image.format == "PNG" and _png_bits(content) != 8:
        return False
    return image.getexif().get(ORIENTATION, 1) == 1


def _png_bits(content: bytes) -> int:
    """Bits per channel by the PNG's header: Pillow gives 8 for those of 2, 4 and 16 alike. 0: no header."""
    return content[24] if content[12:16] == b"IHDR" else 0


def _to_rgb(image: Image.Image) -> Image.Image:
    """Upright, 8 bit, on white."""
    sixteen = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")
    try:
        image = ImageOps.exif_transpose(image)
    except Exception as error:  # it writes the other tags anew, and fails with any kind on damaged ones
        raise ValueError(f"damaged EXIF data: {error}") from None
    if sixteen:  # Pillow would clip it to white; by the mode, not the values: a dark picture stays dark
        image = Image.fromarray((np.asarray(image, np.float64) / 257).round().astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"picture of mode {image.mode}, whose white is unknown: save it with 8 or 16 bits")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image.convert("RGB")
