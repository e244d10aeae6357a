"""What differs between two runs, or two points of a sweep with several seeds each, as plain data.

Numbers are means over a side's runs, judged by noise.py; stages and pictures are compared between one run
of each side, of equal seed if there is one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline import noise
from pipeline.diff import notes, parting
from pipeline.diff.parting import Parting
from pipeline.diff.sides import Pair, Side, pair_of, parameter_changes, side
from pipeline.presets import Change
from pipeline.tables import Table

LADDER, PER_CLASS = "reports/ladder.csv", "reports/per_class.csv"
NO_METRIC = ("rung", "split", "images")  # columns of the ladder

Cells = dict[tuple[str, str], float]  # percent, by rung and by metric or class


@dataclass(frozen=True)
class Number:
    """A number in percent that both sides have: a metric of the ladder, or a class's IoU at a rung."""

    rung: str
    what: str
    value: noise.Change


@dataclass(frozen=True)
class Picture:
    """A picture's mIoU in percent on both sides, over the classes that occur in it."""

    id: str
    a: float
    b: float

    @property
    def change(self) -> float:
        return self.b - self.a


@dataclass(frozen=True)
class Pictures:
    """The pictures of a rung whose score changed, most first, and how many did not."""

    rung: str
    changed: tuple[Picture, ...]
    equal: int

    @property
    def better(self) -> int:
        return sum(picture.change > 0 for picture in self.changed)


@dataclass(frozen=True)
class Diff:
    a: Side
    b: Side
    pair: Pair  # whose stages and pictures are compared
    notes: tuple[str, ...]  # what must be known before the numbers are read, and what is missing
    params: tuple[Change, ...]
    stages: tuple[Parting, ...]
    ladder: tuple[Number, ...]
    classes: tuple[Number, ...]  # largest change first
    pictures: tuple[Pictures, ...]

    @property
    def is_empty(self) -> bool:
        numbers = (*self.ladder, *self.classes)
        return not (self.params or self.stages or any(n.value.verdict != noise.EQUAL for n in numbers))

    @property
    def rungs(self) -> list[str]:
        return list(dict.fromkeys(number.rung for number in self.ladder))


def make(root: Path, a: str, b: str) -> Diff:
    """Compare two runs, points or revisions. ValueError for a name that means nothing."""
    first, second = side(root, a), side(root, b)
    pair = pair_of(first, second)
    stages = parting.partings(pair[0].lock, pair[1].lock)
    scores = _scores(pair, {stage.stage for stage in stages if stage.state != parting.SAME_RESULT})
    found = [_pictures(rung, *tables) for rung, tables in scores.items() if all(tables)]
    classes = _numbers(first, second, PER_CLASS, _per_class)
    return Diff(
        a=first,
        b=second,
        pair=pair,
        params=tuple(parameter_changes(first, second)),
        stages=tuple(stages),
        ladder=tuple(_numbers(first, second, LADDER, _metrics)),
        classes=tuple(sorted(classes, key=lambda number: -abs(number.value.change))),
        pictures=tuple(pictures for pictures in found if pictures.changed),
        notes=(*notes.before(first, second), *notes.missing(pair, scores)),
    )


def _numbers(a: Side, b: Side, path: str, cells: Callable[[Table], Cells]) -> list[Number]:
    """The numbers of a report that both sides have, in its order."""
    values = [{seed: cells(run.table(path)) for seed, run in one.runs.items()} for one in (a, b)]
    names = dict.fromkeys(name for one in values for run in one.values() for name in run)
    numbers = []
    for name in names:
        sides = [{seed: run[name] for seed, run in one.items() if name in run} for one in values]
        if all(sides):
            numbers.append(Number(*name, noise.compare(*sides)))
    return numbers


def _metrics(table: Table) -> Cells:
    return {
        (row["rung"], key): float(text)
        for row in table
        for key, text in row.items()
        if key not in NO_METRIC and text
    }


def _per_class(table: Table) -> Cells:
    return {
        (rung, row["class"]): float(text)
        for row in table
        for rung, text in row.items()
        if rung != "class" and text
    }


def _scores(pair: Pair, changed: set[str | None]) -> dict[str, tuple[Table, Table]]:
    """The scores of each picture on both sides, at the rungs of both whose evaluation gave something else."""
    first, second = ([row["rung"] for row in run.table(LADDER)] for run in pair)
    found = {}
    for rung in (rung for rung in first if rung in second):
        makers = {run.maker(f"reports/{rung}/metrics.json") for run in pair}
        if makers & changed:
            path = f"reports/{rung}/per_picture.csv"
            found[rung] = (pair[0].table(path), pair[1].table(path))
    return found


def _pictures(rung: str, a: Table, b: Table) -> Pictures:
    """Of the pictures that both sides have scored."""
    before, now = ({row["id"]: float(row["miou"]) for row in table if row["miou"]} for table in (a, b))
    both = [Picture(name, before[name], now[name]) for name in before if name in now]
    moved = sorted((picture for picture in both if picture.change), key=lambda p: (-abs(p.change), p.id))
    return Pictures(rung, tuple(moved), len(both) - len(moved))
