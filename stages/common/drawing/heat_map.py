"""The table of counts as a picture: each row in percent of its true class."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from stages.common.drawing.canvas import (
    FAINT,
    INK,
    PAPER,
    canvas,
    class_names,
    font,
    png,
    shorten,
    text_width,
    write,
)

LOW, HIGH = np.array([244, 246, 249]), np.array([8, 64, 129])
MARGIN, LABEL = 16, 130  # pixels; the widest a class name may be


def heat_map(title: str, table: np.ndarray, classes: Sequence[str]) -> bytes:
    """PNG of int64 [C+1, C+2]: truth down, result across, the last column "unknown"."""
    rows, columns = table.shape
    cell = 44 if rows <= 12 else 30 if rows <= 30 else 12
    size = 13 if cell > 20 else 10
    names = [shorten(name, LABEL, size) for name in (*class_names(classes), "unknown")]
    side = max(text_width(name, size) for name in names) + 10
    left, top = MARGIN + 20 + side, MARGIN + 46 + side
    width, height = left + columns * cell + MARGIN, top + rows * cell + MARGIN
    image, draw = canvas(max(width, text_width(title, 16) + 2 * MARGIN), height)

    write(draw, (MARGIN, MARGIN - 4), title, INK, 16)
    write(draw, (left, MARGIN + 22), "result, % of the true class", FAINT, 12)
    _upright(image, "truth", (MARGIN, top + text_width("truth", 12)), 12, FAINT)
    for column, name in enumerate(names):
        _upright(image, name, (left + column * cell + (cell - size - 4) // 2, top - 6), size, INK)
    for row in range(rows):
        y = top + row * cell
        x = left - 8 - text_width(names[row], size)
        write(draw, (x, y + cell / 2), names[row], INK, size, anchor="lm")
        _draw_row(draw, table[row], left, y, cell)
    return png(image)


def _draw_row(draw: ImageDraw.ImageDraw, found: np.ndarray, left: int, y: int, cell: int) -> None:
    total = int(found.sum())
    for column, pixels in enumerate(found.tolist()):
        x, share = left + column * cell, pixels / total if total else 0.0
        colour = LOW + (HIGH - LOW) * share**0.6  # small shares are what one looks for
        box = (x, y, x + cell - 2, y + cell - 2)
        draw.rectangle(box, tuple(colour.astype(int).tolist()) if total else PAPER)
        if cell > 20 and share >= 0.005:
            text = f"{100 * share:.0f}"
            ink = (255, 255, 255) if share > 0.35 else INK
            draw.text((x + cell / 2 - 1, y + cell / 2 - 1), text, ink, font(cell // 4 + 4), anchor="mm")


def _upright(image: Image.Image, text: str, foot: tuple[int, int], size: int, colour: tuple) -> None:
    """Text that reads from bottom to top; `foot` is the lower left corner."""
    label = Image.new("L", (text_width(text, size) + 2, size + 5), 0)
    ImageDraw.Draw(label).text((0, 0), text, 255, font(size, text))
    label = label.rotate(90, expand=True)
    image.paste(colour, (foot[0], foot[1] - label.height), label)
