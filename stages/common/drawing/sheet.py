"""A contact sheet: one row per picture, with the truth, the result and the errors in colour."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw

from stages.common.artifacts import UNKNOWN
from stages.common.drawing.canvas import (
    FAINT,
    INK,
    Colour,
    canvas,
    class_names,
    png,
    shorten,
    text_width,
    write,
)
from stages.common.drawing.colours import HATCH, NONE, class_colours, colour

CELL = 240  # pixels, the widest and the highest a cell may be
GAP, MARGIN, CAPTION, HEADER, LEGEND = 8, 16, 22, 28, 34

OVER, MISSED, WRONG = (255, 159, 28), (46, 120, 230), (214, 40, 160)
UNDECIDED, VOID = (120, 220, 215), NONE
ERRORS: dict[str, Colour] = {
    "marked, but background": OVER,
    "missed": MISSED,
    "wrong class": WRONG,
    "left unknown": UNDECIDED,
    "void (not scored)": VOID,
}


@dataclass(frozen=True)
class Row:
    """One picture, RGB uint8 [H, W, 3], and labels uint8 [H, W]; no truth, no errors."""

    id: str
    picture: np.ndarray
    result: np.ndarray
    truth: np.ndarray | None


def choose(ids: Sequence[str], number: int) -> list[str]:
    """Evenly spaced over the sorted ids, so every rung of a split shows the same pictures."""
    ordered = sorted(ids)
    number = min(number, len(ordered))
    return [ordered[(2 * i + 1) * len(ordered) // (2 * number)] for i in range(number)]


def sheet(title: str, rows: Sequence[Row], classes: Sequence[str]) -> bytes:
    """The sheet as PNG. Without any truth it has two columns: picture and result."""
    scored = any(row.truth is not None for row in rows)
    columns = ["picture", "truth", "result", "errors"] if scored else ["picture", "result"]
    sizes = [_cell_size(row.picture) for row in rows]
    cell = max((width for width, _ in sizes), default=CELL)
    legend = _legend_lines(2 * MARGIN + len(columns) * (cell + GAP) - GAP) if scored else []
    width = 2 * MARGIN + len(columns) * (cell + GAP) - GAP
    height = 2 * MARGIN + HEADER + 20 + sum(CAPTION + high + GAP for _, high in sizes) + LEGEND * len(legend)
    image, draw = canvas(width, height)

    write(draw, (MARGIN, MARGIN - 4), shorten(title, width - 2 * MARGIN, 18), INK, 18)
    y, names = MARGIN + HEADER, class_names(classes)
    for column, name in enumerate(columns):
        write(draw, (MARGIN + column * (cell + GAP), y), name, FAINT, 13)
    y += 20
    for row, size in zip(rows, sizes, strict=True):
        _caption(draw, row, y, width, names)
        y += CAPTION
        for column, name in enumerate(columns):
            image.paste(Image.fromarray(_cell(row, name, size)), (MARGIN + column * (cell + GAP), y))
        y += size[1] + GAP
    for line in legend:
        y = _draw_legend(draw, line, y)
    return png(image)


def errors(picture: np.ndarray, truth: np.ndarray, result: np.ndarray) -> np.ndarray:
    """Right pixels as a dim grey picture (objects lighter), errors in colour, void hatched."""
    shown = _grey(picture) * np.where((truth > 0) & (truth == result), 0.75, 0.4)[..., None]
    void, unknown = truth == UNKNOWN, result == UNKNOWN
    wrong = (truth != result) & ~void & ~unknown
    for where, shade in (
        (wrong & (truth == 0), OVER),
        (wrong & (truth > 0) & (result == 0), MISSED),
        (wrong & (truth > 0) & (result > 0), WRONG),
        (unknown & ~void, UNDECIDED),
    ):
        shown[where] = 0.2 * shown[where] + 0.8 * np.array(shade)
    shown[void] = _hatched(truth.shape)[void]
    return shown.astype(np.uint8)


def overlay(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels in the colours of their classes over a dim grey picture, with white outlines.

    The background stays the picture; 255 is hatched, as it is no class.
    """
    grey = _grey(picture)
    shown = 0.2 * grey + 0.8 * class_colours()[labels]
    shown[labels == 0] = 0.45 * grey[labels == 0]
    shown[labels == UNKNOWN] = _hatched(labels.shape)[labels == UNKNOWN]
    shown[outlines(labels)] = 255
    return shown.astype(np.uint8)


def outlines(labels: np.ndarray) -> np.ndarray:
    """Where a label meets another one below or to the right, bool [H, W]: two colours may look alike."""
    found = np.zeros(labels.shape, bool)
    found[:-1] |= labels[:-1] != labels[1:]
    found[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    return found


def _hatched(size: tuple[int, ...]) -> np.ndarray:
    """Stripes that no class has, [H, W, 3]."""
    y, x = np.ogrid[: size[0], : size[1]]
    return np.where(((x + y) % 6 < 2)[..., None], VOID, HATCH)


def _grey(picture: np.ndarray) -> np.ndarray:
    return np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2).astype(np.float32)


def _cell_size(picture: np.ndarray) -> tuple[int, int]:
    """Width and height of a cell: the picture's shape, fitted into CELL x CELL."""
    height, width, _ = picture.shape
    scale = CELL / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _cell(row: Row, name: str, size: tuple[int, int]) -> np.ndarray:
    shrinks = size[0] < row.picture.shape[1]
    picture = cv2.resize(row.picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    result, truth = _fit(row.result, size), None if row.truth is None else _fit(row.truth, size)
    if name == "result":
        return overlay(picture, result)
    if name == "picture" or truth is None:
        return picture if name == "picture" else np.full_like(picture, 235)
    return overlay(picture, truth) if name == "truth" else errors(picture, truth, result)


def _fit(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)


def _caption(draw: ImageDraw.ImageDraw, row: Row, y: int, width: int, classes: Sequence[str]) -> None:
    """The id, then each class that the row shows, beside a square of its colour."""
    write(draw, (MARGIN, y + 3), shorten(row.id, width // 2, 13), INK, 13)
    x = MARGIN + text_width(shorten(row.id, width // 2, 13), 13) + 16
    seen = set(np.unique(row.result)) | (set() if row.truth is None else set(np.unique(row.truth)))
    for label in sorted(int(label) for label in seen if 0 < label < len(classes)):
        if x + 16 + text_width(classes[label], 13) > width - MARGIN:
            write(draw, (x, y + 3), "…", FAINT, 13)
            return
        x = _key(draw, classes[label], colour(label), x, y + 3, 13)


def _key(draw: ImageDraw.ImageDraw, name: str, shade: Colour, x: int, y: int, size: int) -> int:
    """A coloured square and its name; returns where the next may start."""
    draw.rectangle((x, y + 3, x + size - 4, y + size - 1), shade, outline=FAINT)
    write(draw, (x + size + 1, y), name, INK, size)
    return x + size + 1 + text_width(name, size) + 14


def _legend_lines(width: int) -> list[list[str]]:
    """The names of the errors, broken into lines that fit."""
    lines: list[list[str]] = [[]]
    x = MARGIN
    for name in ERRORS:
        step = 14 + text_width(name, 13) + 14
        if lines[-1] and x + step > width - MARGIN:
            lines.append([])
            x = MARGIN
        lines[-1].append(name)
        x += step
    return lines


def _draw_legend(draw: ImageDraw.ImageDraw, names: Sequence[str], y: int) -> int:
    x = MARGIN
    for name in names:
        x = _key(draw, name, ERRORS[name], x, y + 6, 13)
    return y + LEGEND
