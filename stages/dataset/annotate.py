"""Check what people drew against the pictures, and write it: data/annotations (stages/common/annotations.py).

Coordinates are of the picture as it is stored, upright, as a mask's are: what was drawn on a picture that
EXIF turns afterwards does not fit, or is said to be unsure.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stages.common.annotations import BOX_COLUMNS, POINT_COLUMNS
from stages.common.annotations_params import MARKED, Kind
from stages.common.artifacts import UNKNOWN, csv_text, write_json
from stages.common.door import visible
from stages.dataset import marks
from stages.dataset.check import Problems
from stages.dataset.convert import Converted, Facts
from stages.dataset.decode_mask import TURNS
from stages.dataset.drawn import BACKGROUND, Drawn, Spot, Stroke
from stages.dataset.marks import Line, Marked, Marks
from stages.dataset.records import Record
from stages.dataset.source_files import Fault, File, hashed
from stages.dataset.words import few, said

CROWDED = 30  # percent of the pixels: more than anybody draws
NOUNS = {"boxes": "box", "points": "point", "scribbles": "stroke"}


@dataclass
class Annotated:
    """The annotations of a set as they are checked, picture by picture, and the rows of their table."""

    kind: Kind
    classes: Sequence[str]  # without background
    drawn: Drawn
    max_megapixels: float
    problems: Problems = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # odd, and no problem
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    work: dict[str, Marked] = field(default_factory=dict)
    unsure: list[str] = field(default_factory=list)
    clipped: list[str] = field(default_factory=list)

    def add(self, record: Record, found: Converted | Fault) -> None:
        """What is drawn on a picture of train that can be read."""
        if self.kind == "none" or record.split != "train" or isinstance(found, Fault):
            return
        if self._right_way(record, found.facts):
            adders = {"boxes": self._boxes, "points": self._points, "scribbles": self._scribble}
            adders[self.kind](record, found.facts)

    def finish(self, folder: Path, records: Mapping[str, Record]) -> str:
        """The files in `folder`, if there is no problem. Returns what there is in words, none of `none`."""
        self.problems += self.drawn.problems
        about: dict[str, Any] = {"kind": self.kind}
        if self.kind in MARKED:
            about |= self._masks(folder, records)
        if self.problems:
            return ""
        if self.kind in ("boxes", "points"):
            columns = BOX_COLUMNS if self.kind == "boxes" else POINT_COLUMNS
            (folder / f"{self.kind}.csv").write_text(csv_text([columns, *self.rows]), encoding="utf-8")
            about[self.kind] = len(self.rows)
        write_json(folder / "about.json", about)
        if self.kind == "none":
            return ""
        self.notes = [visible(note) for note in [*self.notes, *self._remarks()]]
        (folder / "warnings.txt").write_text("".join(f"{note}\n" for note in self.notes), encoding="utf-8")
        return said(about)

    def _right_way(self, record: Record, facts: Facts) -> bool:
        """Whether the size that the file says, if any, is the picture's."""
        size, own = self.drawn.sizes.get(record.id), (facts.width, facts.height)
        turned = facts.orientation in TURNS
        if size is None or size == own:
            sure = size is not None and size != own[::-1]
            if turned and not sure and self.kind != "scribbles":
                self.unsure.append(record.id)
            return True
        text = f"{self.kind} are of a picture of {size[0]}x{size[1]}, it is {own[0]}x{own[1]}"
        if turned and size == own[::-1]:
            text += (
                f" once turned by its EXIF orientation ({facts.orientation}): they were drawn on the picture "
                "as stored. Turn them too, or take the orientation out of the picture's EXIF"
            )
        self.problems.append((record.id, text))
        return False

    def _boxes(self, record: Record, facts: Facts) -> None:
        found = set()
        for box in self.drawn.boxes.get(record.id, ()):
            found.add(box.name)
            left, top, right, bottom = (math.floor(side + 0.5) for side in box.sides)
            shown = f"box {box.object} ({box.written})"
            if self._foreign(record, box.name, box.where, shown):
                continue
            if right <= left or bottom <= top:
                text = f"{shown} is empty: it holds no pixel. Mend it or take it out"
                self.problems.append((box.where, text))
            elif left < 0 or top < 0 or right > facts.width or bottom > facts.height:
                self._outside(box.where, shown, facts)
            else:
                self.rows.append((record.id, box.object, box.name, left, top, right, bottom))
        self._complete(record, found)

    def _points(self, record: Record, facts: Facts) -> None:
        found, lines = set(), []
        for point in self.drawn.points.get(record.id, ()):
            found.add(point.name)
            x, y = (math.floor(value) for value in point.spot)
            shown = f"point {point.object} ({point.spot[0]:g},{point.spot[1]:g})"
            if self._foreign(record, point.name, point.where, shown, BACKGROUND):
                continue
            if not (0 <= x < facts.width and 0 <= y < facts.height):
                self._outside(point.where, shown, facts)
            else:
                self.rows.append((record.id, point.object, point.name, x, y))
                lines.append(Line(self._index(point.name), ((x, y),)))
        self._complete(record, found)
        self._mark(record, facts, None, lines, 1)

    def _scribble(self, record: Record, facts: Facts) -> None:
        path, lines = self.drawn.files.get(record.id), []
        if path is None:
            if record.labels:
                text = f"no scribble of {few(record.labels, 10)}: draw one, or take the picture out of train"
                self.problems.append((record.id, text))
            self._mark(record, facts, None, [], marks.WIDE)
            return
        for place, stroke in enumerate(self.drawn.strokes.get(record.id, ()), 1):
            shown = f"stroke {place} ({stroke.name})"
            if self._foreign(record, stroke.name, str(path), shown, BACKGROUND):
                continue
            if not _reaches(stroke, facts):
                self._outside(str(path), shown, facts)
                self.drawn.tell(record.id, stroke.name)
            elif not all(_inside(spot, facts) for spot in stroke.spots):
                self.clipped.append(record.id)
            lines.append(Line(self._index(stroke.name), stroke.spots))
        if record.id in self.drawn.strokes:
            if facts.orientation in TURNS:
                self.unsure.append(record.id)
            self._mark(record, facts, None, lines, marks.WIDE)
            return
        try:
            self._mark(record, facts, hashed(path, self.max_megapixels), [], marks.WIDE)
        except ValueError as error:
            self.problems.append((str(path), str(error)))

    def _mark(self, record: Record, facts: Facts, file: File | None, lines: list[Line], wide: int) -> None:
        size = facts.width, facts.height, facts.orientation
        self.work[record.id] = Marked(*size, file, tuple(lines), wide)

    def _masks(self, folder: Path, records: Mapping[str, Record]) -> dict[str, Any]:
        """ID.png of all pictures. What is wrong with a scribble is known once it is decoded."""
        outcomes, work, results = marks.compute(self.work, Marks(self.max_megapixels, len(self.classes)))
        for identifier, found in outcomes.items():
            where = str(self.drawn.files.get(identifier, identifier))
            if found.problem:
                self.problems.append((where, found.problem))
                continue
            (folder / f"{identifier}.png").write_bytes(results.read(work[identifier], marks.MASK))
            self.unsure += [identifier] * found.unsure
            if self.kind == "scribbles" and where != identifier:
                self._seen(records[identifier], where, found.counts)
        pixels = sum(one.width * one.height for one in self.work.values())
        known = sum(n for one in outcomes.values() for index, n in one.counts.items() if index != UNKNOWN)
        share = 100 * known / max(pixels, 1)
        if share > CROWDED:
            self.notes.append(
                f"{self.kind} cover {share:.0f} % of the pixels: are these masks of whole objects?"
            )
        if not any(0 in one.counts for one in outcomes.values()):
            what = "a segmenter that learns from them alone marks every pixel"
            self.notes.append(f"none of the {self.kind} is on the background: {what}")
        return {"pictures": len(self.work), "percent": round(share, 3)}

    def _seen(self, record: Record, where: str, counts: dict[int, int]) -> None:
        """The classes of a scribble, against the labels."""
        names = [self.classes[index - 1] for index in counts if 0 < index < UNKNOWN]
        for name in names:
            self._foreign(record, name, where, "a stroke")
        if UNKNOWN not in counts:
            text = "a scribble labels every pixel: write 255 where nobody drew, 0 is a stroke on background"
            self.problems.append((where, text))
        else:
            self._complete(record, set(names))

    def _foreign(self, record: Record, name: str, where: str, shown: str, *also: str) -> bool:
        """Whether the class is none of the picture's, which is a problem; or none of the set's, as is said of
        the label."""
        if name in (*record.labels, *also):
            return name not in (*self.classes, *also)
        labels = f"is labelled {few(record.labels, 10)}" if record.labels else "has no label"
        text = f"{shown} is of class {name!r}, and the picture {labels}: add the label, or take it out"
        self.problems.append((where, text))
        return True

    def _outside(self, where: str, shown: str, facts: Facts) -> None:
        turned = (
            f", once turned by its EXIF orientation ({facts.orientation})"
            if facts.orientation in TURNS
            else ""
        )
        size = f"{facts.width}x{facts.height}{turned}"
        text = f"{shown} lies outside of its picture, {size}: mend it, or take it out"
        self.problems.append((where, text))

    def _complete(self, record: Record, found: set[str]) -> None:
        """Each class of the picture is drawn at least once, or told of already."""
        found |= self.drawn.told.get(record.id, set())
        if lacking := [name for name in record.labels if name not in found]:
            text = f"no {NOUNS[self.kind]} of {few(lacking, 10)}: draw one, or take the label out"
            self.problems.append((record.id, text))

    def _index(self, name: str) -> int:
        return 0 if name == BACKGROUND else self.classes.index(name) + 1

    def _remarks(self) -> list[str]:
        found = []
        if self.clipped:
            ids = list(dict.fromkeys(self.clipped))
            found.append(f"strokes of {len(ids)} pictures leave the picture and end at its edge: {few(ids)}")
        if self.unsure:
            text = (
                f"{self.kind} of {len(self.unsure)} pictures may lie the wrong way: EXIF turns the pictures"
            )
            found.append(f"{text}, they are read as drawn on the turned ones. Look at {few(self.unsure)}")
        return found


def _reaches(stroke: Stroke, facts: Facts) -> bool:
    """Whether a stroke has a pixel inside of the picture, though its spots may all lie outside."""
    layer = np.zeros((facts.height, facts.width), np.uint8)
    marks.draw(layer, stroke.spots, marks.WIDE)
    return bool(layer.any())


def _inside(spot: Spot, facts: Facts) -> bool:
    return 0 <= math.floor(spot[0]) < facts.width and 0 <= math.floor(spot[1]) < facts.height
