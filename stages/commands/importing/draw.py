"""The work on one picture, in processes: its size, its mask and scribble, its boxes and points in place."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stages.commands.importing.found import BACKGROUND, Pictured, Thing
from stages.commands.importing.mask_table import MaskTable
from stages.commands.importing.sizes import stored_size
from stages.common.artifacts import UNKNOWN, mask_bytes
from stages.dataset.area_masks import Part, draw_parts
from stages.dataset.areas import Spot
from stages.dataset.decode_mask import TURNS
from stages.dataset.instances import Sides
from stages.dataset.marks import Line, Marked, drawn_lines

Row = tuple[int, str, tuple[float, ...]]  # object, class, numbers
ACROSS = 1.0  # pixels that a box may leave its picture by, as rounding does


@dataclass(frozen=True)
class Work:
    """`masked`: the set has areas, so a picture without things is all background."""

    picture: Pictured
    path: Path
    classes: tuple[str, ...]
    masked: bool
    table: MaskTable | None = None


@dataclass
class Made:
    """What is written of a picture. `problems` and `remarks` are texts without its name."""

    mask: bytes | None = None
    scribble: bytes | None = None
    boxes: list[Row] = field(default_factory=list)
    points: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def draw(work: Work) -> Made:
    """Never raises for what is wrong with a picture or its annotations: that is in `problems`."""
    made = Made()
    try:
        width, height = _size(work, made)
    except ValueError as error:
        made.problems.append(str(error))
        return made
    things, index = work.picture.things, {BACKGROUND: 0} | {n: i for i, n in enumerate(work.classes, 1)}
    if work.table is not None and work.picture.mask is not None:
        _read_mask(work, work.table, (width, height), made)
    elif work.masked:
        values = _mask(things, index, width, height, made)  # all areas are checked
        made.mask = mask_bytes(values) if _has_pixels(work.picture) else None
    lines = tuple(Line(index[thing.name], thing.line) for thing in things if thing.line)
    if lines:
        values = drawn_lines(Marked(width, height, 1, None, lines))
        if (values == UNKNOWN).all():
            made.problems.append("its lines never enter the picture")
        made.scribble = mask_bytes(values)
    for number, thing in enumerate(things, 1):
        if thing.box and thing.name != BACKGROUND:
            made.boxes += [
                (number, thing.name, s) for s in _box(_called(thing, number), thing.box, width, height, made)
            ]
        if thing.point:
            made.points += [(number, thing.name, s) for s in _point(thing.point, width, height, made)]
    return made


def _size(work: Work, made: Made) -> tuple[int, int]:
    """Width and height, upright. ValueError for no picture, or of another size than the annotations say."""
    stored, turn = stored_size(work.path)
    own = stored[::-1] if turn >= 5 else stored
    said = work.picture.size
    if said is not None and said != own:
        text = f"is {own[0]}x{own[1]}, its annotations are of {said[0]}x{said[1]}"
        if said == own[::-1] and turn in TURNS:
            text += f": they were drawn on it as stored, EXIF turns it ({turn}). Take that out of the picture"
        raise ValueError(text)
    sure = said is not None and stored != own
    if turn in TURNS and not sure and (work.picture.things or work.picture.mask):
        made.remarks.append("EXIF turns it: its annotations are read as of the upright picture")
    return own


def _has_pixels(picture: Pictured) -> bool:
    """Whether the mask would be whole: each class of the picture is drawn as an area."""
    named = picture.labels | {thing.name for thing in picture.things}
    areas = Counter(thing.name for thing in picture.things if thing.area)
    alone = {t.name for t in picture.things if t.box and not t.area}
    return all(areas[name] and name not in alone for name in named - {BACKGROUND})


def _mask(things: Sequence[Thing], index: dict[str, int], width: int, height: int, made: Made) -> np.ndarray:
    """Class indices, uint8 [H, W]."""
    parts = [
        Part(index[thing.name], thing.area, thing.crowd, thing.level, _called(thing, number))
        for number, thing in enumerate(things, 1)
        if thing.area is not None
    ]
    drawn = draw_parts(parts, width, height)
    made.problems += drawn.problems
    names = [BACKGROUND, *(name for name in index if name != BACKGROUND)]
    made.remarks += [
        f"an area of {names[part.index]} covers the centre of no pixel: it is not in the mask"
        for part in drawn.empty
    ]
    return drawn.values


def _called(thing: Thing, number: int) -> str:
    return f"{thing.where or f'object {number}'} ({thing.name})"


def _read_mask(work: Work, table: MaskTable, size: tuple[int, int], made: Made) -> None:
    assert work.picture.mask is not None
    try:
        values = table.read(work.picture.mask, work.picture.labels)
    except ValueError as error:
        made.problems.append(f"its mask {error}")
        return
    if values.shape != size[::-1]:
        made.problems.append(f"its mask is {values.shape[1]}x{values.shape[0]}, it is {size[0]}x{size[1]}")
    made.mask = mask_bytes(values)


def _box(called: str, sides: Sides, width: int, height: int, made: Made) -> list[tuple[float, ...]]:
    """The box, inside the picture and of a pixel at least once the step rounds its sides."""
    clipped = [min(max(side, 0.0), edge) for side, edge in zip(sides, (width, height) * 2, strict=True)]
    shown = ",".join(f"{side:g}" for side in sides)
    if sides[2] < sides[0] or sides[3] < sides[1]:
        made.problems.append(f"box {shown} of {called} ends before it begins")
        return []
    if sides[0] >= width or sides[1] >= height or sides[2] <= 0 or sides[3] <= 0:
        made.problems.append(f"box {shown} of {called} lies outside of the picture of {width}x{height}")
        return []
    if max(abs(a - b) for a, b in zip(sides, clipped, strict=True)) > ACROSS:
        made.remarks.append("a box leaves the picture: it ends at the edge")
    for low, high, edge in ((0, 2, width), (1, 3, height)):
        if math.floor(clipped[low] + 0.5) == math.floor(clipped[high] + 0.5):
            clipped[low] = min(math.floor(clipped[low]), edge - 1)
            clipped[high] = clipped[low] + 1
            made.remarks.append("a box is thinner than a pixel: it becomes the pixel that it begins in")
    return [tuple(clipped)]


def _point(spot: Spot, width: int, height: int, made: Made) -> list[tuple[float, ...]]:
    """The point; one on the right or lower edge itself lies in the last pixel."""
    x, y = (edge - 0.5 if at == edge else at for at, edge in zip(spot, (width, height), strict=True))
    if not (0 <= x < width and 0 <= y < height):
        made.problems.append(
            f"a point ({spot[0]:g},{spot[1]:g}) lies outside of the picture of {width}x{height}"
        )
        return []
    return [(float(x), float(y))]
