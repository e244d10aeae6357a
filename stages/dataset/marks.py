"""The work on what was drawn on a picture, in processes: points, strokes or a scribble as a mask."""

import json
from dataclasses import dataclass

import cv2
import numpy as np

from stages.common import fingerprint, items
from stages.common.artifacts import UNKNOWN, mask_bytes
from stages.common.pool import Files
from stages.dataset.decode import Decoded
from stages.dataset.decode_mask import decode_mask
from stages.dataset.drawn import Spot
from stages.dataset.source_files import File, reread

WIDE = 3  # pixels of a stroke that is given by its spots
GROUP = 32  # pictures that go to a process at a time
FACTS, MASK = "*.json", "*.png"  # files of a result


@dataclass(frozen=True)
class Line:
    """Spots (x, y) in pixels, from 0, of the class index `label`; a point has one spot."""

    label: int
    spots: tuple[Spot, ...]


@dataclass(frozen=True)
class Marked:
    """A picture's size, and what is drawn on it: a mask's file, or lines of so many pixels."""

    width: int
    height: int
    orientation: int  # EXIF's of the picture's file
    file: File | None
    lines: tuple[Line, ...] = ()
    wide: int = WIDE


@dataclass(frozen=True)
class Outcome:
    """Pixels by class index, and whether the picture is turned by EXIF and the mask fits both ways; or a
    problem."""

    counts: dict[int, int]
    unsure: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Marks:
    """The mask, uint8 [H, W] of 0 to `classes` and 255 where nobody drew, and its facts: or a problem."""

    max_megapixels: float
    classes: int

    def key(self, marked: Marked) -> str:
        code = fingerprint.code_hash("stages.dataset.marks")
        drawn = marked.file.sha256 if marked.file else [(line.label, line.spots) for line in marked.lines]
        size = marked.width, marked.height, marked.orientation
        return fingerprint.key(code, self.max_megapixels, self.classes, size, drawn, marked.wide)

    def __call__(self, tasks: list[Marked]) -> list[Files]:
        return [self._one(marked) for marked in tasks]

    def _one(self, marked: Marked) -> Files:
        unsure, size = False, (marked.width, marked.height)
        if marked.file is None:
            values = drawn_lines(marked)
        else:
            picture = Decoded(b"", "", *size, orientation=marked.orientation)
            try:
                mask = decode_mask(reread(marked.file), picture, self.classes, self.max_megapixels)
            except ValueError as error:
                return {FACTS: json.dumps({"problem": str(error).replace("mask", "scribble")}).encode()}
            values, unsure = mask.values, mask.unsure
        indices, counts = np.unique(values, return_counts=True)
        facts = {"counts": dict(zip(indices.tolist(), counts.tolist(), strict=True)), "unsure": unsure}
        return {FACTS: json.dumps(facts).encode(), MASK: mask_bytes(values)}


def drawn_lines(marked: Marked) -> np.ndarray:
    """The lines, clipped to the picture; 255 also where two classes meet."""
    shape = (marked.height, marked.width)
    values, times = np.full(shape, UNKNOWN, np.uint8), np.zeros(shape, np.uint8)
    for label in sorted({line.label for line in marked.lines}):
        layer = np.zeros(shape, np.uint8)
        for line in marked.lines:
            if line.label == label:
                draw(layer, line.spots, marked.wide)
        values[layer > 0] = label
        times += layer
    values[times > 1] = UNKNOWN
    return values


def draw(layer: np.ndarray, spots: tuple[Spot, ...], wide: int) -> None:
    """Ones where a square of `wide` pixels, odd, is moved along the spots. Far outside is as good as outside.

    OpenCV's own thick lines end in discs that are wider than the line.
    """
    edge = wide // 2
    thin = np.pad(np.zeros_like(layer), edge)
    way = [tuple(edge + int(np.clip(np.floor(value), -9999, 65535)) for value in spot) for spot in spots]
    for start, end in zip(way, way[1:] or way, strict=False):
        cv2.line(thin, start, end, 1)
    height, width = layer.shape
    layer |= cv2.dilate(thin, np.ones((wide, wide), np.uint8))[edge : edge + height, edge : edge + width]


def compute(
    work: dict[str, Marked], marks: Marks
) -> tuple[dict[str, Outcome], dict[str, items.Item], items.Results]:
    """By identifier what came of each picture; and where its mask lies."""
    found = {
        identifier: items.Item(identifier, marks.key(marked), marked) for identifier, marked in work.items()
    }
    results = items.compute_items(
        "dataset_annotations", list(found.values()), marks, batches=items.groups_of(GROUP)
    )
    return (
        {identifier: _outcome(results.read(item, FACTS)) for identifier, item in found.items()},
        found,
        results,
    )


def _outcome(content: bytes) -> Outcome:
    facts = json.loads(content)
    if "problem" in facts:
        return Outcome({}, problem=facts["problem"])
    return Outcome({int(index): count for index, count in facts["counts"].items()}, facts["unsure"])
