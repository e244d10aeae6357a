"""The table of counts, drawn a second time with Pillow alone at places worked out by hand, to the pixel."""

import io
import math

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from stages.common.drawing.heat_map import heat_map

INK, FAINT, PAPER = (40, 42, 46), (120, 124, 130), (250, 250, 248)


def width(text, size):
    return math.ceil(ImageFont.load_default(size).getlength(text))


def upright(image, text, x, bottom, size, colour):
    label = Image.new("L", (width(text, size) + 2, size + 5), 0)
    ImageDraw.Draw(label).text((0, 0), text, 255, ImageFont.load_default(size))
    label = label.transpose(Image.Transpose.ROTATE_90)
    image.paste(colour, (x, bottom - label.height), label)


def again(title, table, names, cell, size):
    """Between 16 pixels of margin: 46 for the title and "result", 20 for "truth", and the widest name."""
    side = max(width(name, size) for name in names) + 10
    left, top, right = 36 + side, 62 + side, 16
    wide = max(left + cell * table.shape[1] + right, width(title, 16) + 32)
    image = Image.new("RGB", (wide, top + cell * table.shape[0] + 16), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((16, 12), title, INK, ImageFont.load_default(16))
    draw.text((left, 38), "result, % of the true class", FAINT, ImageFont.load_default(12))
    upright(image, "truth", 16, top + width("truth", 12), 12, FAINT)
    for n, name in enumerate(names):
        upright(image, name, left + n * cell + (cell - 4 - size) // 2, top - 6, size, INK)
    for n, row in enumerate(table.tolist()):
        y, x = top + n * cell, left - 8 - width(names[n], size)
        draw.text((x, y + cell / 2), names[n], INK, ImageFont.load_default(size), anchor="lm")
        for m, pixels in enumerate(row):
            x, share = left + m * cell, pixels / max(sum(row), 1)
            low, high = (244, 246, 249), (8, 64, 129)
            shade = tuple(int(a + (b - a) * share**0.6) for a, b in zip(low, high, strict=True))
            draw.rectangle((x, y, x + cell - 2, y + cell - 2), shade if sum(row) else PAPER)
            if cell > 12 and pixels and share >= 0.005:
                ink, middle = (INK, (255, 255, 255))[share > 0.35], cell / 2 - 1
                font = ImageFont.load_default({44: 15, 30: 11}[cell])
                draw.text((x + middle, y + middle), f"{100 * share:.0f}", ink, font, anchor="mm")
    return np.asarray(image)


def drawn(*given):
    return np.asarray(Image.open(io.BytesIO(heat_map(*given))))


def test_shares_colours_and_numbers():
    """At .35 the ink is dark, above it light; .005 is written, less is not; no pixels are paper."""
    table = np.array([[129, 70, 0, 1], [0, 4, 996, 0], [0, 0, 0, 0]])
    names = ["background", "cat", "an ant", "unknown"]
    wanted = again("seeds: confusion", table, names, 44, 13)
    np.testing.assert_array_equal(drawn("seeds: confusion", table, names[:3]), wanted)


@pytest.mark.parametrize(("rows", "cell", "size"), [(12, 44, 13), (13, 30, 13), (30, 30, 13), (31, 12, 10)])
def test_more_classes_have_smaller_cells(rows, cell, size):
    table = np.random.default_rng(rows).integers(0, 40, (rows, rows + 1)) ** 2
    names = [f"class {n}" for n in range(rows)]
    wanted = again("crf", table, [*names, "unknown"], cell, size)
    np.testing.assert_array_equal(drawn("crf", table, names), wanted)


def test_a_long_title_widens_the_picture_and_a_long_name_is_cut():
    title, table = "a title that is wider than the table " * 3, np.array([[1, 1]])
    name = "a name that is wider than 130 pixels"
    short = next(s for n in range(40, 0, -1) if width(s := name[:n] + "…", 13) <= 130)
    wanted = again(title, table, [short, "unknown"], 44, 13)
    np.testing.assert_array_equal(drawn(title, table, [name]), wanted)
