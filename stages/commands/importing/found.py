"""What every format is read into, before a pixel is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stages.commands.importing.mask_table import MaskTable
from stages.commands.importing.places import Places
from stages.dataset.areas import Area, Spot
from stages.dataset.check import Problems
from stages.dataset.instances import Sides
from stages.dataset.labels import clean, fold, problem_of

BACKGROUND = "background"


@dataclass(frozen=True)
class Asked:
    """The command's words, as paths that are there, and the pictures that it may use."""

    path: Path
    places: Places
    classes: list[str] | None = None  # names in the order of their indices
    colours: Path | None = None
    threshold: int | None = None
    none: frozenset[str] = frozenset()  # folded labels that mean: no class

    @property
    def folder(self) -> Path:
        """What files in messages are named from."""
        return self.path if self.path.is_dir() else self.path.parent


@dataclass(frozen=True)
class Thing:
    """One object that somebody drew. `name` is a class, or background."""

    name: str
    area: Area | None = None
    box: Sides | None = None
    point: Spot | None = None
    line: tuple[Spot, ...] = ()
    crowd: bool = False  # many of the class, never taken apart: its pixels are void
    level: int = 0  # the higher lies on top
    where: str = ""  # what the source calls it, for messages


@dataclass
class Pictured:
    """One picture of the source. `where` its labels are written; `size` is (width, height) as said there."""

    file: str  # below the folder of the pictures
    where: str
    split: str = ""  # train, val, or not said
    size: tuple[int, int] | None = None
    labels: set[str] = field(default_factory=set)
    things: list[Thing] = field(default_factory=list)
    mask: Path | None = None


@dataclass
class Found:
    """`problems` and `remarks` are (file, text). Classes without background; their order is the indices'."""

    classes: list[str] = field(default_factory=list)
    pictures: list[Pictured] = field(default_factory=list)
    problems: Problems = field(default_factory=list)
    remarks: Problems = field(default_factory=list)
    about: list[str] = field(default_factory=list)  # what whoever sees results must know of the labels
    table: MaskTable | None = None  # what the pictures' masks are read by

    def without_test(self) -> None:
        """Leave pictures of the split test out, and say so: nothing is learnt or scored on them."""
        test = [picture for picture in self.pictures if picture.split == "test"]
        self.remarks += [(picture.file, "is of the split test: left out") for picture in test]
        self.pictures = [picture for picture in self.pictures if picture.split != "test"]


class Names:
    """The names of classes as a source writes them, each checked once and under one spelling."""

    def __init__(self, asked: Asked, found: Found, where: str, listed: Sequence[str] | None = None) -> None:
        """`listed` are the source's own, in their order; without, those of --classes or of the labels."""
        if listed is not None and asked.classes is not None:
            raise ValueError(f"--classes: {where} has its own list of classes: leave the option out")
        self.found, self.none = found, asked.none | {fold(BACKGROUND)}
        self.where = where if listed is not None else "--classes"
        own = listed if listed is not None else asked.classes
        self.listed = None if own is None else [self._checked(name, where) for name in own]
        self.seen: set[str] = set()
        self.known: dict[str, str] = {}  # by what is written: a set has the same few a million times
        for name in dict.fromkeys(self.listed or ()):
            if name and (self.listed or []).count(name) > 1:
                found.problems.append((where, f"class {name!r} is there twice"))

    def use(self, written: object, where: str) -> str:
        """The class of a label, BACKGROUND, or an empty text for what is a problem."""
        if isinstance(written, str) and written in self.known:
            return self.known[written]
        if not isinstance(written, str) or not clean(written):
            self.found.problems.append((where, f"a label is {written!r}, no name"))
            return ""
        name = self._checked(written, where)
        if name and name != BACKGROUND and self.listed is not None and name not in self.listed:
            self.found.problems.append((where, f"class {name!r} is not in {self.where}"))
            return ""
        if name:
            self.seen.add(name)
            self.known[written] = name
        return name

    def finish(self) -> None:
        """The set's classes: all that are listed, or those of the labels by name."""
        names = sorted(self.seen) if self.listed is None else self.listed
        self.found.classes = [name for name in names if name and name != BACKGROUND]

    def _checked(self, written: str, where: str) -> str:
        name = clean(str(written))
        if fold(name) in self.none:
            return BACKGROUND
        if problem := problem_of(name):
            self.found.problems.append((where, f"class {name!r} {problem}"))
            return ""
        return name
