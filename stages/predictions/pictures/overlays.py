"""A picture with its labels in colour and, below it, which colour is which class."""

import io

import numpy as np
from PIL import Image

from stages.common.artifacts import palette
from stages.evaluation.drawing import FAINT, INK, canvas, font, text_width
from stages.evaluation.gallery import overlay

BAND = 256  # rows drawn at a time, so that a large picture needs no large floats
QUALITY = 90
Entry = tuple[int, str]  # a class index and the text beside its colour


def overlay_jpeg(picture: np.ndarray, labels: np.ndarray, entries: list[Entry]) -> bytes:
    """JPEG of `picture` RGB uint8 [H, W, 3] under `labels` uint8 [H, W], with `entries` below."""
    tops = range(0, len(labels), BAND)
    bands = [overlay(picture[top : top + BAND], labels[top : top + BAND]) for top in tops]
    foot = key(entries, picture.shape[1])
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate([*bands, foot])).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


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
            draw.rectangle((x, y, x + size, y + size), tuple(palette()[index].tolist()), outline=FAINT)
            draw.text((x + size * 1.4, y + size / 2), text, INK, font(size), anchor="lm")
            x += _width(entry, size)
    return np.asarray(image)


def _width(entry: Entry, size: int) -> int:
    return text_width(entry[1], size) + int(2.6 * size)
