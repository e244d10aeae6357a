"""A comparison as tables and sentences, the same for a terminal, markdown and a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.results import noise
from pipeline.results.diff import boundary as of_boundary
from pipeline.results.diff import explained, parting
from pipeline.results.diff.comparison import Diff, Number, Unscored
from pipeline.results.diff.notes import some
from pipeline.results.diff.parting import Parting
from pipeline.results.diff.sides import Side
from pipeline.results.explanation import WORDS
from pipeline.results.scores import text
from stages.evaluation.names import INSIDE, NEAR, WIDTH

GOOD, BAD, QUIET = "good", "bad", "quiet"
VERDICT = ("that is",)  # the column that tells a change from noise
NOT_SCORED = "not scored"
MOST = 10  # rows of a table that is read in a terminal


@dataclass(frozen=True)
class Cell:
    text: str
    tone: str = ""
    value: float | None = None  # what a page sorts by


@dataclass(frozen=True)
class Grid:
    """A table; the columns from `numbers` on hold numbers. `left_out` rows are not in it."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: int
    left_out: int = 0


def title(side: Side) -> str:
    """How a side is called: with its commit, or the number of its runs."""
    if len(side.runs) > 1:
        return f"{side.name} ({len(side.runs)} runs)"
    commit = side.first.commit
    return f"{side.name} ({commit[:7]})" if commit and not commit.startswith(side.name) else side.name


def params(diff: Diff) -> Grid:
    rows = [(Cell(key), Cell(plain(old)), Cell(plain(new))) for key, old, new in diff.params]
    return Grid(("parameter", diff.a.name, diff.b.name), tuple(rows), numbers=3)


def ladder(diff: Diff) -> Grid:
    """A row per rung: its first metric on both sides and what became of it, of the others the change."""
    metrics = list(dict.fromkeys(number.what for number in diff.ladder))
    found = {(number.rung, number.what): number for number in diff.ladder}
    rows, told = [], _is_told(diff.ladder)
    for rung in diff.rungs:
        main, *others = (found.get((rung, metric)) for metric in metrics)
        rows.append((Cell(rung), *_change_of(main, told), *map(_change, others)))
    rows += [_unscored(found, 1 + told + max(len(metrics) - 1, 0)) for found in diff.unscored]
    names = [metric.replace("_", " ") for metric in metrics] or ["miou"]
    header = (f"{names[0]}, {diff.a.name}", diff.b.name, "change", *VERDICT[:told], *names[1:])
    return Grid(("rung", *header), tuple(rows), numbers=1)


def _unscored(found: Unscored, rest: int) -> tuple[Cell, ...]:
    """A rung that one side has not scored: no change, and nothing in the `rest` of the columns."""
    sides = [Cell(NOT_SCORED, QUIET) if side is None else _mean(side, None) for side in (found.a, found.b)]
    return (Cell(found.rung), *sides, *[Cell("")] * rest)


def boundary(diff: Diff) -> Grid:
    """A row per rung: mIoU near the boundary on both sides, its change, and that of mIoU inside."""
    rows, told = [], _is_told(diff.boundary)
    for rung, (near, inside) in _near_and_inside(diff).items():
        if any(one and one.value.verdict != noise.EQUAL for one in (near, inside)):
            rows.append((Cell(rung), *_change_of(near, told), _change(inside)))
    near_header = f"mIoU closer than {WIDTH} px to a boundary, {diff.a.name}"
    header = ("rung", near_header, diff.b.name, "change", *VERDICT[:told], "change inside")
    return Grid(header, tuple(rows), 1)


def moved(diff: Diff) -> list[str]:
    """A sentence for each rung whose boundary moved more than what lies inside it changed."""
    found = [
        of_boundary.moved(rung, *(one.value if one else None for one in both))
        for rung, both in _near_and_inside(diff).items()
    ]
    return [sentence for sentence in found if sentence]


def _near_and_inside(diff: Diff) -> dict[str, tuple[Number | None, Number | None]]:
    found = {(number.rung, number.what): number for number in diff.boundary}
    rungs = dict.fromkeys(number.rung for number in diff.boundary)
    return {rung: (found.get((rung, NEAR)), found.get((rung, INSIDE))) for rung in rungs}


def classes(diff: Diff, most: int | None = MOST) -> Grid:
    """Classes at rungs, largest change first, without those that are equal."""
    numbers = [number for number in diff.classes if number.value.verdict != noise.EQUAL]
    told = _is_told(numbers)
    rows = [(Cell(number.what), Cell(number.rung), *_change_of(number, told)) for number in numbers[:most]]
    header = ("class", "rung", f"IoU, {diff.a.name}", diff.b.name, "change", *VERDICT[:told])
    return Grid(header, tuple(rows), 2, len(numbers) - len(rows))


def explanation(diff: Diff) -> Grid:
    """A row per explanation metric: its mean over the classes on both sides, and the change of all pairs."""
    found = {(number.rung, number.what): number for number in diff.explanation}
    told, rows = _is_told(diff.explanation), []
    for metric in dict.fromkeys(number.what for number in diff.explanation):
        mean, micro = (found.get((over, metric)) for over in (explained.CLASSES, explained.PAIRS))
        better = _better(mean or micro)
        rows.append((Cell(WORDS[metric].title), better, *_change_of(mean, told), _change(micro)))
    sides = (f"{explained.CLASSES}, {diff.a.name}", diff.b.name, "change", *VERDICT[:told])
    return Grid(("explanation metric", "better", *sides, explained.PAIRS), tuple(rows), 2)


def explained_classes(diff: Diff, most: int | None = MOST) -> Grid:
    """Explanation metrics of classes, largest change first, without those that are equal."""
    numbers = [number for number in diff.explained if number.value.verdict != noise.EQUAL]
    told = _is_told(numbers)
    rows = [
        (Cell(one.what), Cell(WORDS[one.rung].short), _better(one), *_change_of(one, told))
        for one in numbers[:most]
    ]
    header = ("class", "metric", "better", diff.a.name, diff.b.name, "change", *VERDICT[:told])
    return Grid(header, tuple(rows), 3, len(numbers) - len(rows))


def diagnosis(diff: Diff) -> Grid:
    """A row per number of the diagnosis: of a layer, or of a method."""
    told = _is_told(diff.diagnosis)
    rows = [(Cell(one.rung), Cell(one.what), *_change_of(one, told)) for one in diff.diagnosis]
    header = ("layer or method", "diagnosis", diff.a.name, diff.b.name, "change", *VERDICT[:told])
    return Grid(header, tuple(rows), 2)


def _better(number: Number | None) -> Cell:
    return Cell("high" if number and number.high else "low", QUIET)


def pictures(diff: Diff, most: int = 3) -> Grid:
    """A row per rung: how many pictures went where, and those that changed most."""
    rows = []
    for found in diff.pictures:
        top = ", ".join(f"{picture.id} {signed(picture.change)}" for picture in found.changed[:most])
        worse = len(found.changed) - found.better
        counts = (Cell(str(found.better), GOOD), Cell(str(worse), BAD), Cell(str(found.equal), QUIET))
        rows.append((Cell(found.rung), Cell(top), *counts))
    return Grid(("rung", "most changed", "better", "worse", "equal"), tuple(rows), 2)


def where(diff: Diff) -> list[str]:
    """Sentences: where the runs part and why, what follows, and what made no difference."""
    by_state = {state: [stage for stage in diff.stages if stage.state == state] for state in parting.STATES}
    lines = [f"The runs part at {stage.stage}: {_because(stage)}." for stage in by_state[parting.PARTS]]
    follow = by_state[parting.FOLLOWS]
    if follow:
        lines.append(f"What lies below follows: {', '.join(stage.stage for stage in follow)}.")
    lines += [
        f"{stage.stage} follows, and differs by itself: {_because(stage)}."
        for stage in follow
        if stage.causes
    ]
    for side, state in ((diff.a, parting.ONLY_A), (diff.b, parting.ONLY_B)):
        if found := by_state[state]:
            lines.append(f"Only {side.name} ran {', '.join(stage.stage for stage in found)}.")
    if same := by_state[parting.SAME_RESULT]:
        names = ", ".join(f"{stage.stage} ({', '.join(stage.causes) or 'inputs'})" for stage in same)
        lines.append(f"Other inputs, the same result: {names}.")
    return lines


def _because(stage: Parting) -> str:
    parts = []
    if stage.params:
        parts.append(f"params ({some([key for key, _, _ in stage.params])})")
    for name, found in (("code", stage.code), ("data", stage.data)):
        parts += [f"{name} ({some(list(found))})"] if found else []
    return ", ".join(parts) or "equal inputs gave another result (another machine, or chance)"


def rule(numbers: Sequence[Number]) -> list[str]:
    """How noise was told, in a sentence for each rule that was used."""
    used = dict.fromkeys(number.value.rule for number in numbers if number.value.verdict != noise.EQUAL)
    return [noise.RULES[name] for name in used] + [noise.CAUTION] * _is_told(numbers)


def _is_told(numbers: Sequence[Number]) -> bool:
    """Whether noise is known of any number: with one run on each side there is nothing to tell."""
    return any(number.value.margin is not None for number in numbers)


def _change_of(number: Number | None, told: bool) -> tuple[Cell, ...]:
    """Both sides, the change, and what it is."""
    if number is None:
        return (Cell(""),) * (4 if told else 3)
    value = number.value
    sides = _mean(value.a, value.sd_a), _mean(value.b, value.sd_b)
    return (*sides, _change(number), *((_verdict(number),) if told else ()))


def _mean(mean: float, sd: float | None) -> Cell:
    return Cell(text(mean) + (f" ± {text(sd)}" if sd is not None else ""), value=mean)


def _change(number: Number | None) -> Cell:
    if number is None:
        return Cell("")
    return Cell(signed(number.value.change), tone(number), number.value.change)


def tone(number: Number) -> str:
    """Good or bad where the change counts or nobody knows, "" without a better end; quiet if it is noise."""
    if number.value.verdict in (noise.NOISE, noise.EQUAL):
        return QUIET
    if number.high is None:
        return ""
    return GOOD if (number.value.change > 0) == number.high else BAD


def _verdict(number: Number) -> Cell:
    if number.value.verdict == noise.EQUAL:
        return Cell("")
    margin = number.value.margin
    return Cell(number.value.verdict + (f" (±{margin:.2f})" if margin is not None else ""), QUIET)


def signed(change: float) -> str:
    return f"{change:+.2f}" if abs(change) >= 0.005 else "0.00"


def plain(value: Any) -> str:
    """A parameter's value in one line; "" where there is none."""
    import json

    return "" if value is None else value if isinstance(value, str) else json.dumps(value, default=str)
