"""Pictures of more than 8 bits. Which value is white is decided once for a whole set, never by picture."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

ORIENTATION = 0x0112  # EXIF
BITS, PHOTOMETRIC, MAX_SAMPLE = 258, 262, 281  # tags of TIFF
WHITE_IS_ZERO = 0
DEPTHS = (8, 10, 12, 14, 16)


@dataclass(frozen=True)
class White:
    """What is white in a set: of whole numbers in 16 bits, and of floats (None: they are not read)."""

    whole: int = 65535
    real: float | None = None


SIXTEEN = White()


def read_white(dataset: Path) -> White:
    """What was white in a data set that the step `dataset` wrote; 16 bits and no floats if there is none."""
    try:
        return White(**json.loads((dataset / "white.json").read_text()))
    except FileNotFoundError:
        return SIXTEEN


def white_of(highest: int, lowest_real: float, highest_real: float) -> White:
    """White of a set by the highest value of all its pictures, in the usual depths of cameras.

    A scanner of 12 bits fills 4095 of 65535. A dark picture of 16 bits keeps its place among brighter
    ones. Floats are read where all of them lie in 0..1. Without a picture of a kind, its highest is -1.
    """
    bits = next(bits for bits in DEPTHS if highest < 1 << bits)
    real = 1.0 if 0 <= lowest_real <= highest_real <= 1 else None
    return White((1 << bits) - 1 if highest >= 0 else 65535, real)


def is_deep(image: Image.Image, content: bytes) -> bool:
    """By the header: more than 8 bits a channel, or floats."""
    return image.mode.startswith("I;16") or image.mode in ("I", "F") or _deep_colour(image, content)


def own_white(image: Image.Image, content: bytes) -> int | None:
    """White where the file says it: TIFF's number of bits or highest sample, PGM's highest value."""
    if image.format == "PPM":  # Pillow has stretched it to 16 bits
        head = re.sub(rb"#[^\n]*\n", b" ", content[:4096]).split(maxsplit=4)
        return None if head[3:4] == [b"65535"] else 65535
    tags = getattr(image, "tag_v2", {})
    if (bits := min(tags.get(BITS, (16,)))) < 16:
        return int(1 << bits) - 1
    most = max(np.atleast_1d(tags.get(MAX_SAMPLE, 0)).tolist())
    return int(most) if 255 <= most < 65535 else None


def extremes(image: Image.Image, content: bytes) -> tuple[int, float, float]:
    """Highest whole number, lowest and highest float, as `white_of` takes them: -1 for what does not tell."""
    if image.mode == "F":
        values = np.asarray(image)
        return -1, float(values.min()), float(values.max())
    if (not _whole(image) and not _deep_colour(image, content)) or own_white(image, content):
        return -1, 1.0, -1.0
    values = np.asarray(image)
    if _deep_colour(image, content):  # Pillow keeps the upper byte
        colours = values[..., :1] if image.mode == "LA" else values[..., :3]
        return int(colours.max()) * 256 + 255, 1.0, -1.0
    return int(values.max()), 1.0, -1.0


def dim(image: Image.Image, content: bytes, white: White) -> tuple[str, ...]:
    """A note on a picture that uses less than a third of the range of its set, or more than all of it."""
    highest = extremes(image, content)[0]
    if highest > white.whole:  # of `wsss predict`: the data set knew no such picture
        return (f"is brighter than the data set: it goes up to {highest}, and {white.whole} is white",)
    if highest < 0 or highest * 3 > white.whole:
        return ()
    return (f"is dark: no value above {highest}, and {white.whole} is white; has it fewer bits than others?",)


def to_8_bits(image: Image.Image, content: bytes, white: White) -> Image.Image:
    """The picture with 8 bits a channel and its orientation. ValueError where its white is unknown."""
    if not is_deep(image, content):
        return image
    if image.mode == "F":
        scaled = _floats(image, white)
    elif _whole(image):
        scaled = _scale(np.asarray(image), own_white(image, content) or white.whole)
    elif image.mode == "I":
        raise ValueError("picture of 32-bit numbers, whose white is unknown: save it with 8 or 16 bits")
    elif white.whole == 65535 or own_white(image, content):
        return image
    else:
        return _turned(Image.fromarray(_colours(image, content, white.whole)), image)
    if getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO:
        scaled = 255 - scaled
    return _turned(Image.fromarray(scaled), image)


def _whole(image: Image.Image) -> bool:
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")


def _deep_colour(image: Image.Image, content: bytes) -> bool:
    if image.mode not in ("RGB", "RGBA", "LA"):
        return False
    if image.format == "PNG":
        return png_bits(content) == 16
    return image.format == "TIFF" and max(getattr(image, "tag_v2", {}).get(BITS, (8,))) == 16


def _scale(values: np.ndarray, white: int) -> np.ndarray:
    return (values.astype(np.float64) * (255 / white)).round().clip(0, 255).astype(np.uint8)


def _floats(image: Image.Image, white: White) -> np.ndarray:
    values = np.asarray(image)
    if not np.isfinite(values).all():
        raise ValueError("picture of floats that are not all finite")
    if white.real is None:
        span = f"from {values.min():g} to {values.max():g} (of the whole set only 0 to 1 is read)"
        raise ValueError(f"picture of floats {span}, whose white is unknown: save it with 8 or 16 bits")
    return (values.astype(np.float64) * (255 / white.real)).round().clip(0, 255).astype(np.uint8)


def _colours(image: Image.Image, content: bytes, white: int) -> np.ndarray:
    """All 16 bits of a picture in colour, of which Pillow keeps the upper 8: uint8 [H, W, 3 or 4]."""
    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    known = np.asarray(image.convert("RGBA" if image.mode == "LA" else image.mode), int)
    if values is None or values.dtype != np.uint16 or values.shape != known.shape:
        raise ValueError("16-bit picture in colour that holds fewer bits: save it with 8 bits")
    values = np.concatenate([values[..., 2::-1], values[..., 3:]], -1)
    if (np.abs(values // 256 - known) > 1).any():  # as one that a reader turned
        raise ValueError("16-bit picture in colour that two readers read differently: save it with 8 bits")
    alpha = values[..., 3:]
    own = white if alpha.size and alpha.max() <= white else 65535
    return np.concatenate([_scale(values[..., :3], white), _scale(alpha, own)], -1)


def _turned(scaled: Image.Image, image: Image.Image) -> Image.Image:
    """With the orientation of the original, which the caller applies."""
    turn = image.getexif().get(ORIENTATION, 1)
    if turn != 1:
        scaled.getexif()[ORIENTATION] = turn
    return scaled


def png_bits(content: bytes) -> int:
    """Bits per channel by the PNG's header: Pillow gives 8 for those of 2, 4 and 16 alike. 0: no header."""
    return content[24] if content[12:16] == b"IHDR" else 0
