"""A picture with its labels in colour and, below it, which colour is which class."""

import io

import numpy as np
from PIL import Image

from stages.common.drawing.canvas import FAINT, INK, canvas, text_width, write
from stages.common.drawing.colours import class_colours, colour
from stages.common.drawing.sheet import outlines

BAND = 256  # rows drawn at a time, so that a large picture needs no large floats
QUALITY, TINT = 90, 0.6
LONGEST = 65500  # pixels of a side that a JPEG may have
Entry = tuple[int, str]  # a class index and the text beside its colour


def overlay_jpeg(picture: np.ndarray, labels: np.ndarray, entries: list[Entry]) -> bytes:
    """JPEG of `picture` RGB uint8 [H, W, 3] under `labels` uint8 [H, W], with `entries` below."""
    tops = range(0, len(labels), BAND)
    bands = [tinted(picture[top : top + BAND], labels[top : top + BAND]) for top in tops]
    drawn = np.concatenate([*bands, key(entries, picture.shape[1])])
    drawn[: len(labels)][outlines(labels)] = 255
    image, buffer = Image.fromarray(drawn), io.BytesIO()
    if max(image.size) > LONGEST:
        image.thumbnail((LONGEST, LONGEST))
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def tinted(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The picture in its own colours, a little darker, and what is labelled under a tint of its class."""
    share = np.where(labels > 0, np.float32(TINT), 0)[..., None]
    return np.rint((0.85 - 0.85 * share) * picture + share * class_colours()[labels]).astype(np.uint8)


def key(entries: list[Entry], width: int) -> np.ndarray:
    """Squares of colour with their texts, in as many lines as they need, RGB uint8 [h, width, 3]."""
    size = int(np.clip(width // 40, 11, 48))
    lines: list[list[Entry]] = [[]]
    room = float(width)
    for entry in entries:
        step = _width(entry, size)
        if lines[-1] and step > room:
            lines.append([])
            room = width
        lines[-1].append(entry)
        room -= step
    image, draw = canvas(width, (2 * size) * len(lines))
    for row, line in enumerate(lines):
        x, y = size // 2, row * 2 * size + size // 2
        for entry in line:
            index, text = entry
            draw.rectangle((x, y, x + size, y + size), colour(index), outline=FAINT)
            write(draw, (x + size * 1.4, y + size / 2), text, INK, size, anchor="lm")
            x += _width(entry, size)
    return np.asarray(image)


def _width(entry: Entry, size: int) -> int:
    return text_width(entry[1], size) + int(2.6 * size)
