"""A contact sheet for a report: the pictures that all rungs show, side by side, small enough for a page.

The galleries of the evaluation hold them: one row per picture, cells on a light ground. They are cut out
and set anew, so that one row shows a picture, its truth, and what each rung made of it.
"""

import base64
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PICTURES = 6
LIMIT = 300_000  # bytes of all sheets as text: Prefect keeps them in its database
SIDES = (144, 112, 96, 80, 64, 48)  # pixels of a cell, the first that fits
COLOURS = 96
GAP, HEADER = 4, 16
# Of stages/common/drawing/sheet.py.
MARGIN, CELL_GAP, PAPER = 16, 8, (250, 250, 248)
COLUMNS = (("picture", "truth", "result", "errors"), ("picture", "result"))
STRIP, LOWEST = 40, 24  # pixels of a cell's edge that are looked at, and of the lowest cell

Row = dict[str, Image.Image]


def sheets(galleries: Sequence[tuple[str, str, Path]]) -> list[tuple[str, str]]:
    """Split and data URI of a sheet per split, of galleries given as rung, split and file."""
    splits: dict[str, dict[str, list[Row]]] = {}
    for rung, split, file in galleries:
        if file.is_file() and (found := rows(Image.open(file).convert("RGB"))):
            splits.setdefault(split, {})[rung] = found[:PICTURES]
    made: list[tuple[str, str]] = []
    for side in SIDES:
        made = [(split, _uri(sheet(rungs, side))) for split, rungs in splits.items()]
        if sum(len(uri) for _, uri in made) < LIMIT:
            return made
    return []


def rows(gallery: Image.Image) -> list[Row]:
    """The cells of a gallery by their column, a row per picture; none if it looks otherwise."""
    pixels = np.asarray(gallery)
    for names in COLUMNS:
        step = (pixels.shape[1] - 2 * MARGIN + CELL_GAP) // len(names)
        lefts = {name: MARGIN + column * step for column, name in enumerate(names)}
        spans = _spans(pixels[:, lefts["result"] : lefts["result"] + STRIP])
        if spans and all(_clear(pixels[top:bottom], lefts.values()) for top, bottom in spans):
            return [_cut(gallery, pixels, lefts, step, *span) for span in spans]
    return []


def _spans(strip: np.ndarray) -> list[tuple[int, int]]:
    """Top and bottom of each cell: labels drawn over a dimmed picture are darker than the ground."""
    dark = np.concatenate([[False], (strip.max(axis=2) < min(PAPER) - 2).all(axis=1), [False]])
    edges = np.flatnonzero(dark[1:] != dark[:-1])
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= LOWEST]


def _clear(pixels: np.ndarray, lefts: Iterable[int]) -> bool:
    """Whether there is ground to the left of each column."""
    return all(bool((pixels[:, left - CELL_GAP : left] == PAPER).all()) for left in lefts)


def _cut(
    gallery: Image.Image, pixels: np.ndarray, lefts: dict[str, int], step: int, top: int, bottom: int
) -> Row:
    line = pixels[top:bottom, lefts["result"] : lefts["result"] + step - CELL_GAP]
    width = int((line != PAPER).any(axis=2).any(axis=0).sum())  # a portrait leaves ground beside it
    return {name: gallery.crop((left, top, left + width, bottom)) for name, left in lefts.items()}


def sheet(rungs: dict[str, list[Row]], side: int) -> Image.Image:
    """One row per picture: the picture, its truth where there is one, the result of each rung."""
    first = next(iter(rungs.values()))
    known = [name for name in ("picture", "truth") if name in first[0]]
    columns: list[tuple[str, list[Image.Image]]] = [(name, [row[name] for row in first]) for name in known]
    columns += [(rung, [row["result"] for row in found]) for rung, found in rungs.items()]
    size = (len(columns) * (side + GAP) - GAP, HEADER + len(first) * (side + GAP) - GAP)
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    for column, (name, cells) in enumerate(columns):
        x = column * (side + GAP)
        draw.text((x, 1), name, (90, 90, 90), ImageFont.load_default(11))
        for row, cell in enumerate(cells[: len(first)]):
            small = cell.copy()
            small.thumbnail((side, side), Image.Resampling.BOX)
            image.paste(small, (x, HEADER + row * (side + GAP)))
    return image


def _uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
