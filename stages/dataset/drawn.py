"""What people drew on the pictures of train, as a source says it: not checked against any picture yet."""

import importlib
from dataclasses import dataclass, field
from pathlib import Path

from stages.dataset.check import Problems, unsafe
from stages.dataset.files import stem
from stages.dataset.params import Dataset
from stages.dataset.records import Record, Source

BACKGROUND = "background"
Spot = tuple[float, float]  # x and y in pixels, from 0
Size = tuple[int, int]  # width and height


@dataclass(frozen=True)
class DrawnBox:
    """Pixels left to right - 1 and top to bottom - 1, from 0, not rounded. `where` it is written, and how."""

    object: int
    name: str
    sides: tuple[float, float, float, float]  # left, top, right, bottom
    where: str
    written: str


@dataclass(frozen=True)
class DrawnPoint:
    object: int
    name: str
    spot: Spot
    where: str


@dataclass(frozen=True)
class Stroke:
    """A line through spots; `name` is a class or background."""

    name: str
    spots: tuple[Spot, ...]


@dataclass
class Drawn:
    """By identifier of a picture. `sizes` are those that the files say their pictures have."""

    boxes: dict[str, list[DrawnBox]] = field(default_factory=dict)
    points: dict[str, list[DrawnPoint]] = field(default_factory=dict)
    strokes: dict[str, list[Stroke]] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)  # of scribbles: masks, or XML of strokes
    sizes: dict[str, Size] = field(default_factory=dict)
    problems: Problems = field(default_factory=list)
    told: dict[str, set[str]] = field(default_factory=dict)  # classes of which something is wrong already

    def tell(self, identifier: str, name: str) -> None:
        self.told.setdefault(identifier, set()).add(name)


def read_drawn(root: Path, params: Dataset, source: Source) -> Drawn:
    """Of the pictures of train. ValueError where the file or folder of all of them is missing."""
    if params.annotations == "none":
        return Drawn()
    train = [record for record in source.records if record.split == "train" and not unsafe(record.id)]
    module = importlib.import_module(f"stages.dataset.source_annotations.{params.source}")
    found: Drawn = getattr(module, params.annotations)(root, train, source)
    return found


def identifiers(records: list[Record], pictures: Path) -> dict[str, str]:
    """The identifier of each picture by what a table may call it: that, its path, the path without suffix."""
    found = {}
    for record in records:
        if unsafe(record.id):
            continue
        path = record.path.relative_to(pictures).as_posix()
        for name in (stem(path), path, record.id):
            found[name] = record.id
    return found


def number(text: str | None) -> float:
    """ValueError for what is no finite number."""
    try:
        value = float(text or "")
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None
    if not abs(value) < 1e9:
        raise ValueError(f"{text!r} is no pixel of a picture")
    return value
