"""Text and colours of the pictures that the evaluation draws."""

import io
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

PAPER, INK, FAINT = (250, 250, 248), (40, 42, 46), (120, 124, 130)


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font: no file of the machine, so every machine draws the same."""
    return ImageFont.load_default(size)


def text_width(text: str, size: int) -> int:
    return int(np.ceil(font(size).getlength(text)))


def shorten(text: str, width: int, size: int) -> str:
    """`text`, cut with an ellipsis to at most `width` pixels."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text + "…"


def canvas(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width, height), PAPER)
    return image, ImageDraw.Draw(image)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
