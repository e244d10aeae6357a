"""All steps of one picture as one PNG: a heading per step, its tiles below."""

from dataclasses import replace

import cv2
import numpy as np
from PIL import Image, ImageDraw

from stages.commands.show.case import Case, Step, Tile
from stages.common.drawing.canvas import FAINT, INK, canvas, class_names, png, shorten, text_width, write
from stages.common.drawing.colours import colour
from stages.common.drawing.sheet import ERRORS

CELL, GAP, BETWEEN, MARGIN = 190, 8, 30, 18  # pixels; CELL is the longer side of a tile
HEADING, CAPTION, ACROSS = 46, 38, 7  # heights of the lines over and under tiles; tiles in a row, at most
Size = tuple[int, int]


def sheet(case: Case, steps: list[Step]) -> bytes:
    size = _tile_size(case)
    rows = _rows(steps)
    across = max([4, *(sum(len(step.tiles) for step in row) for row in rows)])
    total = 2 * MARGIN + across * (size[0] + GAP) + 3 * BETWEEN
    tall = 3 * MARGIN + size[1] + 120 + len(rows) * (HEADING + size[1] + CAPTION)
    image, draw = canvas(total, tall + 20 * len(case.picture.labels))
    y = _head(image, draw, case, size, total)
    for row in rows:
        x = MARGIN
        for step in row:
            width = max(1, len(step.tiles)) * (size[0] + GAP) - GAP
            _heading(draw, step, (x, y), width if step.tiles else total - x - MARGIN)
            for tile in step.tiles:
                _draw_tile(image, draw, tile, (x, y + HEADING), size)
                x += size[0] + GAP
            x += BETWEEN
        y += HEADING + (size[1] + CAPTION if row[0].tiles else 0)
    y = _keys(draw, y, total)
    return png(image.crop((0, 0, total, y + MARGIN)))


def _rows(steps: list[Step]) -> list[list[Step]]:
    """Steps side by side while their tiles fit; an absent one has a line of its own, for the reason."""
    rows: list[list[Step]] = []
    room = 0
    for step in split_steps(steps):
        if not step.tiles or len(step.tiles) > room:
            rows.append([])
            room = ACROSS if step.tiles else 0
        rows[-1].append(step)
        room -= len(step.tiles)
    return rows


def split_steps(steps: list[Step]) -> list[Step]:
    """A step of more tiles than a row holds as several."""
    return [
        replace(step, tiles=step.tiles[at : at + ACROSS])
        for step in steps
        for at in range(0, max(1, len(step.tiles)), ACROSS)
    ]


def _tile_size(case: Case) -> tuple[int, int]:
    height, width = case.size
    scale = CELL / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _head(
    image: Image.Image, draw: ImageDraw.ImageDraw, case: Case, size: tuple[int, int], total: int
) -> int:
    """The picture with its name and its labels in their colours beside it; returns where it goes on."""
    image.paste(Image.fromarray(_fit(case.rgb, size)), (MARGIN, MARGIN))
    x = MARGIN + size[0] + 2 * GAP
    write(draw, (x, MARGIN), shorten(case.picture.id, total - x - MARGIN, 20), INK, 20)
    height, width = case.size
    write(draw, (x, MARGIN + 30), f"split {case.picture.split}, {width}x{height} pixels", FAINT, 14)
    write(draw, (x, MARGIN + 52), "labels:", FAINT, 14)
    y = MARGIN + 74
    for index in case.picture.labels:
        draw.rectangle((x, y + 3, x + 11, y + 14), colour(index), outline=FAINT)
        write(draw, (x + 18, y), class_names(case.classes)[index], INK, 14)
        y += 20
    return max(y, MARGIN + size[1]) + GAP


def _heading(draw: ImageDraw.ImageDraw, step: Step, at: tuple[int, int], width: int) -> None:
    x, y = at
    iou = "" if step.iou is None else f"   IoU {step.iou:.2f} %"
    write(draw, (x, y + 6), shorten(step.name + iou, width, 15), INK, 15)
    text = f"absent: {step.absent}" if step.absent else step.about
    write(draw, (x, y + 26), shorten(text, width, 12), FAINT, 12)


def _draw_tile(
    image: Image.Image, draw: ImageDraw.ImageDraw, tile: Tile, at: tuple[int, int], size: tuple[int, int]
) -> None:
    image.paste(Image.fromarray(_fit(tile.drawing, size)), at)
    under = at[1] + size[1] + 2
    write(draw, (at[0], under), shorten(tile.title, size[0], 12), FAINT, 12)
    if tile.iou is not None:
        write(draw, (at[0], under + 14), f"IoU {tile.iou:.2f} %", INK, 12)


def _keys(draw: ImageDraw.ImageDraw, y: int, total: int) -> int:
    """What the colours of errors mean; returns where it ends."""
    x = MARGIN
    for name, shade in ERRORS.items():
        if x > MARGIN and x + 20 + text_width(name, 12) > total - MARGIN:
            x, y = MARGIN, y + 18
        draw.rectangle((x, y + 2, x + 10, y + 12), shade, outline=FAINT)
        write(draw, (x + 16, y), name, FAINT, 12)
        x += 32 + text_width(name, 12)
    return y + 18


def _fit(drawing: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    shrinks = size[0] < drawing.shape[1]
    return cv2.resize(drawing, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST)
