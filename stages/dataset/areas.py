"""What somebody drew as an area, and the pixels that it covers.

One rule for all: a pixel belongs to an area if its centre lies in it, the upper left pixel's being
(0.5, 0.5). Areas that share an edge neither overlap nor leave a gap. An area outside of its picture ends at
the edge. It is not pycocotools' rule, which follows the outline on a grid five times as fine: masks differ
by pixels on the outline.
"""

import io
from array import array
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from stages.dataset import runs

Spot = tuple[float, float]  # x and y in pixels, from 0 at the upper left corner of the picture


class Area(Protocol):
    def pixels(self, width: int, height: int) -> np.ndarray:
        """bool [H, W]. ValueError where the area is not one of such a picture."""
        ...


@dataclass(frozen=True)
class Polygons:
    """Each ring an outline, closed by itself. What any of them holds is in the area, where one crosses itself
    by the even-odd rule."""

    rings: tuple["tuple[Spot, ...] | array[float]", ...]  # spots, or x, y, x, y, ... of 8 bytes each

    def pixels(self, width: int, height: int) -> np.ndarray:
        found = np.zeros((height, width), bool)
        for ring in self.rings:
            found |= _inside(np.array(ring, float).reshape(-1, 2), width, height)
        return found


def _inside(ring: np.ndarray, width: int, height: int) -> np.ndarray:
    """Each edge flips all pixels right of it, in the rows whose centres it passes. `ring` is [N, 2]."""
    (x0, y0), (x1, y1) = ring.T, np.roll(ring, -1, axis=0).T
    first = np.clip(np.ceil(np.minimum(y0, y1) - 0.5), 0, height).astype(int)
    counts = np.clip(np.ceil(np.maximum(y0, y1) - 0.5), 0, height).astype(int) - first
    edge = np.repeat(np.arange(len(ring)), counts)  # of each row that an edge passes
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    slope = (x1[edge] - x0[edge]) / (y1[edge] - y0[edge])
    crossings = np.clip(np.ceil(x0[edge] + (rows + 0.5 - y0[edge]) * slope - 0.5), 0, width).astype(int)
    flips = np.bincount(rows * (width + 1) + crossings, minlength=height * (width + 1))
    return np.cumsum(flips.reshape(height, width + 1), axis=1)[:, :width] % 2 == 1


@dataclass(frozen=True)
class Ellipse:
    """`angle` in degrees turns it clockwise, as the y axis points down."""

    centre: Spot
    radii: Spot
    angle: float = 0.0

    def pixels(self, width: int, height: int) -> np.ndarray:
        if min(self.radii) <= 0:
            return np.zeros((height, width), bool)
        x = np.arange(width)[None] + 0.5 - self.centre[0]
        y = np.arange(height)[:, None] + 0.5 - self.centre[1]
        cos, sin = np.cos(np.radians(self.angle)), np.sin(np.radians(self.angle))
        along, across = (x * cos + y * sin) / self.radii[0], (y * cos - x * sin) / self.radii[1]
        return np.asarray(along**2 + across**2 <= 1)


@dataclass(frozen=True)
class CocoRuns:
    """COCO's RLE, compressed or as a list, of a mask of `size` (height, width)."""

    size: tuple[int, int]
    counts: str | tuple[int, ...]

    def pixels(self, width: int, height: int) -> np.ndarray:
        if self.size != (height, width):
            raise ValueError(f"its RLE is of {self.size[1]}x{self.size[0]} pixels, not {width}x{height}")
        counts = runs.coco_counts(self.counts) if isinstance(self.counts, str) else self.counts
        return runs.filled(counts, self.size, by_columns=True)


@dataclass(frozen=True)
class CvatRuns:
    """Runs along the rows of a window of the picture: left, top, width, height."""

    window: tuple[int, int, int, int]
    counts: tuple[int, ...]

    def pixels(self, width: int, height: int) -> np.ndarray:
        left, top, wide, high = self.window
        return _placed(runs.filled(self.counts, (high, wide), by_columns=False), left, top, width, height)


@dataclass(frozen=True)
class Brush:
    """Label Studio's, of a picture of `size` (height, width)."""

    size: tuple[int, int]
    content: tuple[int, ...]

    def pixels(self, width: int, height: int) -> np.ndarray:
        if self.size != (height, width):
            raise ValueError(f"its brush is of {self.size[1]}x{self.size[0]} pixels, not {width}x{height}")
        return runs.brush(self.content, self.size)


@dataclass(frozen=True)
class Stamp:
    """labelme's mask: a picture whose upper left pixel lies at (left, top); what is not 0 is in the area."""

    left: int
    top: int
    png: bytes

    def pixels(self, width: int, height: int) -> np.ndarray:
        try:
            with Image.open(io.BytesIO(self.png), formats=("PNG",)) as image:
                values = np.asarray(image)
        except Exception as error:  # Pillow's readers raise nearly any kind on damaged files
            raise ValueError(f"its mask is no readable PNG: {error}") from None
        inside = values.reshape(*values.shape[:2], -1).max(axis=2) > 0
        return _placed(np.asarray(inside), self.left, self.top, width, height)


def _placed(inside: np.ndarray, left: int, top: int, width: int, height: int) -> np.ndarray:
    high, wide = inside.shape
    if left < 0 or top < 0 or left + wide > width or top + high > height:
        raise ValueError(f"its mask of {wide}x{high} at {left},{top} leaves the picture of {width}x{height}")
    found = np.zeros((height, width), bool)
    found[top : top + high, left : left + wide] = inside
    return found
