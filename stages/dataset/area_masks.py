"""Masks of areas. Where some of several classes meet, a pixel belongs to the one that lies on top.

That is the higher level (CVAT's z order), of one level the smaller area, of equal ones the later. A crowd is
255, beneath all others.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stages.common.artifacts import UNKNOWN
from stages.dataset.areas import Area
from stages.dataset.decode import Decoded
from stages.dataset.decode_mask import Mask


@dataclass(frozen=True)
class Part:
    """An area of the class `index`. `where` is what the source calls it, for messages."""

    index: int
    area: Area
    crowd: bool = False
    level: int = 0
    where: str = ""


@dataclass
class Layers:
    """Class indices, uint8 [H, W]; the parts that cover no pixel's centre; what is wrong with others."""

    values: np.ndarray
    empty: list[Part] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def draw_parts(parts: Sequence[Part], width: int, height: int) -> Layers:
    drawn = Layers(np.zeros((height, width), np.uint8))
    layers = []
    for number, part in enumerate(parts):
        try:
            pixels = part.area.pixels(width, height)
        except ValueError as error:
            drawn.problems.append(f"{part.where}: {error}")
            continue
        size = int(pixels.sum())
        drawn.empty += [] if size else [part]
        layers.append(((not part.crowd, part.level, -size, number), part, pixels))
    for _, part, pixels in sorted(layers, key=lambda layer: layer[0]):
        drawn.values[pixels] = UNKNOWN if part.crowd else part.index
    return drawn


@dataclass(frozen=True)
class AreaMask:
    """The mask of the picture `name`, drawn of parts that `file` holds. `size`: width and height, if said."""

    file: Path
    size: tuple[int, int] | None
    parts: tuple[Part, ...]
    name: str

    @property
    def path(self) -> Path:
        """For messages: the file, and the picture in it."""
        return Path(f"{self.file}: {self.name}")

    @property
    def sha256(self) -> str:
        """Of all that the mask is made of."""
        return hashlib.sha256(repr((self.size, self.parts)).encode()).hexdigest()

    def mask(self, picture: Decoded) -> Mask:
        """ValueError where the parts are not of such a picture."""
        own = picture.width, picture.height
        if self.size not in (None, own):
            said = "x".join(map(str, self.size or ()))
            raise ValueError(f"annotations are of a picture of {said}, it is {own[0]}x{own[1]}")
        drawn = draw_parts(self.parts, *own)
        if drawn.problems:
            raise ValueError("; ".join(drawn.problems))
        return Mask(drawn.values, {}, False)
