"""Text of the pictures that the evaluation draws.

Pillow's own font draws plain Latin, and DejaVu Sans, which comes with matplotlib, most other alphabets: no
file of the machine, so every machine draws the same. Where neither has a letter, the machine's fonts are
searched. A name that no font has is drawn as its number and its code points, so no two names look alike.
"""

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PAPER, INK, FAINT = (250, 250, 248), (40, 42, 46), (120, 124, 130)


@cache
def font(size: int, text: str = "") -> Font:
    """A font of `size` pixels that has the letters of `text`; else DejaVu Sans, which draws boxes."""
    if _is_plain(text):
        return ImageFont.load_default(size)
    return ImageFont.truetype(str(_file(text) or _dejavu()), size)


def class_names(classes: Sequence[str]) -> list[str]:
    """Names as they can be drawn, each another: one that no font has is its index and its code points."""
    return [name if _has_letters(name) else f"{index} {drawable(name)}" for index, name in enumerate(classes)]


def drawable(text: str) -> str:
    """`text`, and where no font has its letters, these as code points: \\u88c2."""
    if _has_letters(text):
        return text
    return text.encode("ascii", "backslashreplace").decode()


def text_width(text: str, size: int) -> int:
    return int(np.ceil(font(size, text).getlength(text)))


def shorten(text: str, width: int, size: int) -> str:
    """`text`, cut with an ellipsis to at most `width` pixels."""
    text = drawable(text)
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text + "…"


def canvas(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width, height), PAPER)
    return image, ImageDraw.Draw(image)


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    colour: Colour,
    size: int,
    anchor: str | None = None,
) -> None:
    """Draw text in a font that has its letters; `at` and `anchor` as Pillow means them."""
    text = drawable(text)
    draw.text(at, text, colour, font(size, text), anchor=anchor)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _is_plain(text: str) -> bool:
    return all(" " <= letter <= "~" or letter == "…" for letter in text)


def _has_letters(text: str) -> bool:
    return _is_plain(text) or _file(text) is not None


@cache
def _file(text: str) -> Path | None:
    """The first font file that has all letters of `text`; None if there is none."""
    letters = {ord(letter) for letter in text if letter != "…"}
    return next((file for file in (_dejavu(), *_installed()) if letters <= _letters(file)), None)


def _dejavu() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


@cache
def _installed() -> list[Path]:
    """The machine's font files, plain ones before bold and slanted ones, by name."""
    from matplotlib.font_manager import findSystemFonts

    def order(file: Path) -> tuple[bool, str]:
        return "regular" not in file.stem.lower(), file.name

    return sorted(map(Path, findSystemFonts()), key=order)


@cache
def _letters(file: Path) -> frozenset[int]:
    """The code points that a font has; none of a file that cannot be read as a font."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(str(file)).get_charmap())
    except (RuntimeError, OSError):
        return frozenset()
