"""What differs between two runs, or two points of a sweep with several seeds each, as plain data.

Numbers are means over a side's runs, judged by noise.py; stages and pictures are compared between one run
of each side, of equal seed if there is one.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.project.presets import Change
from pipeline.project.tables import Table
from pipeline.results import explanation, noise, scores
from pipeline.results.diff import boundary, diagnosed, explained, notes, parting
from pipeline.results.diff.explained import Cells
from pipeline.results.diff.parting import Parting
from pipeline.results.diff.sides import Pair, Side, pair_of, parameter_changes, side
from pipeline.results.scores import Scores
from pipeline.results.snapshot import Snapshot
from stages.common import stamps
from stages.evaluation.names import INSIDE, NEAR


@dataclass(frozen=True)
class Number:
    """A number in percent that both sides have: a metric of the ladder, or a class's IoU at a rung.

    An explanation metric has in place of the rung what it is a mean of; by class it stands there itself. One
    of the diagnosis has a layer or a method there; a bias is a share of the score, not percent.
    """

    rung: str
    what: str
    value: noise.Change
    high: bool | None = True  # whether more is better; None: neither is


@dataclass(frozen=True)
class Unscored:
    """A rung that one side has not scored: the other's mIoU in percent if it has any, nothing is compared."""

    rung: str
    a: float | None
    b: float | None
    why: str


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
    boundary: tuple[Number, ...]  # mIoU near the edges of the masks, and inside
    classes: tuple[Number, ...]  # largest change first
    explanation: tuple[Number, ...]
    explained: tuple[Number, ...]  # by class, largest change first
    diagnosis: tuple[Number, ...]
    pictures: tuple[Pictures, ...]
    unscored: tuple[Unscored, ...]

    @property
    def is_empty(self) -> bool:
        numbers = (
            *self.ladder, *self.boundary, *self.classes, *self.explanation, *self.explained, *self.diagnosis
        )  # fmt: skip
        changed = any(number.value.verdict != noise.EQUAL for number in numbers)
        return not (self.params or self.stages or self.unscored or changed)

    @property
    def rungs(self) -> list[str]:
        return list(dict.fromkeys(number.rung for number in self.ladder))


def _with_files(stage: Parting, pair: Pair) -> Parting:
    """The files that changed, in place of the stamp that names them; the stamp where a side has none."""
    code: list[str] = []
    for path in stage.code:
        old, new = (run.text(path) for run in pair) if parting.is_stamp(path) else (None, None)
        found = stamps.files(old or ""), stamps.files(new or "")
        names = sorted({**found[0], **found[1]}) if all(found) else []
        code += [name for name in names if found[0].get(name) != found[1].get(name)] or [path]
    return replace(stage, code=tuple(code))


def make(root: Path, a: str, b: str) -> Diff:
    """Compare two runs, points or revisions. ValueError for a name that means nothing."""
    first, second = side(root, a), side(root, b)
    pair = pair_of(first, second)
    stages = [_with_files(stage, pair) for stage in parting.partings(pair[0].lock, pair[1].lock)]
    found = [{key: scores.read(run) for key, run in one.runs.items()} for one in (first, second)]
    of_pair = next(_of(found[0], pair[0])), next(_of(found[1], pair[1]))
    tables = _scores(of_pair, {stage.stage for stage in stages if stage.state != parting.SAME_RESULT})
    moved = [_pictures(rung, *both) for rung, both in tables.items() if all(both)]
    ladder = tuple(_numbers(found, _metrics))
    means = [replace(n, high=explanation.is_high(n.what)) for n in _numbers(found, explained.means)]
    by_class = [replace(n, high=explanation.is_high(n.rung)) for n in _numbers(found, explained.by_class)]
    compared = {number.rung for number in ladder}
    return Diff(
        a=first,
        b=second,
        pair=pair,
        params=tuple(parameter_changes(first, second)),
        stages=tuple(stages),
        ladder=ladder,
        boundary=tuple(_numbers(found, _boundary)) if boundary.is_same(pair) else (),
        classes=_largest_first(_numbers(found, _classes)),
        explanation=tuple(means),
        explained=_largest_first(by_class),
        diagnosis=tuple(replace(n, high=None) for n in _numbers(found, diagnosed.cells)),
        pictures=tuple(pictures for pictures in moved if pictures.changed),
        unscored=tuple(rung for rung in _unscored(of_pair) if rung.rung not in compared),
        notes=(
            *notes.before(first, second, of_pair, stages),
            *boundary.notes(pair),
            *explained.notes(of_pair),
            *diagnosed.notes(of_pair),
            *notes.missing(pair, tables),
        ),
    )


def _of(found: dict[object, Scores], run: Snapshot) -> Iterator[Scores]:
    return (one for one in found.values() if one.run is run)


def _largest_first(numbers: Iterable[Number]) -> tuple[Number, ...]:
    return tuple(sorted(numbers, key=lambda number: -abs(number.value.change)))


def _numbers(found: list[dict[object, Scores]], cells: Callable[[Scores], Cells]) -> Iterator[Number]:
    """The numbers that runs of both sides have, in the order in which a run has them."""
    values = [{key: cells(one) for key, one in runs.items()} for runs in found]
    for name in dict.fromkeys(name for runs in values for run in runs.values() for name in run):
        sides = [{key: run[name] for key, run in runs.items() if name in run} for runs in values]
        if all(sides):
            yield Number(*name, noise.compare(*sides))


def _metrics(one: Scores) -> Cells:
    """By rung and metric."""
    return {(r.name, key): r.numbers[key] for r in one.good for key in scores.PERCENT if key in r.numbers}


def _boundary(one: Scores) -> Cells:
    """By rung: near the boundary and inside."""
    return {(r.name, key): r.numbers[key] for r in one.good for key in (NEAR, INSIDE) if key in r.numbers}


def _classes(one: Scores) -> Cells:
    """IoU by rung and class."""
    return {(rung.name, name): value for rung in one.good for name, value in rung.classes.items()}


def _unscored(pair: tuple[Scores, Scores]) -> Iterator[Unscored]:
    """Rungs of both recipes that one side has scored and the other has not."""
    for rung in pair[0].rungs:
        other = pair[1].rung(rung.name)
        if other is None or rung.good == other.good:
            continue
        bad = other if rung.good else rung
        yield Unscored(rung.name, rung.numbers.get("miou"), other.numbers.get("miou"), bad.standing)


def _scores(pair: tuple[Scores, Scores], changed: set[str | None]) -> dict[str, tuple[Table, Table]]:
    """The scores of each picture on both sides, at the rungs of both whose evaluation gave something else."""
    found = {}
    for rung in pair[0].good:
        other = pair[1].rung(rung.name)
        if other is None or not other.good:
            continue
        both = zip(pair, (rung, other), strict=True)
        if {one.run.maker(f"{of.folder}/metrics.json") for one, of in both} & changed:
            first, second = (one.table(rung.name, "per_picture.csv") for one in pair)
            found[rung.name] = first, second
    return found


def _pictures(rung: str, a: Table, b: Table) -> Pictures:
    """Of the pictures that both sides have scored."""
    before, now = ({row["id"]: float(row["miou"]) for row in table if row["miou"]} for table in (a, b))
    both = [Picture(name, before[name], now[name]) for name in before if name in now]
    moved = sorted((picture for picture in both if picture.change), key=lambda p: (-abs(p.change), p.id))
    return Pictures(rung, tuple(moved), len(both) - len(moved))
