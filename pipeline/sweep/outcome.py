"""What has come out of a sweep, read anew from its branches and the ledger of runs each time."""

import functools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.project import git, ledger
from pipeline.project.outcomes import RAN, RESTORED
from pipeline.results import explanation, scores
from pipeline.results.noise import EXACT
from pipeline.results.snapshot import open_run
from pipeline.sweep.definition import Sweep, Trial
from pipeline.sweep.grid import Values
from pipeline.sweep.trials import FINISHED, NOT_RUN, Ended


@dataclass(frozen=True)
class Cost:
    """What a run has taken so far, all attempts together."""

    ran: int = 0  # stages computed
    restored: int = 0  # stages from the cache
    seconds: float = 0.0  # without waiting for others


class Seeds(NamedTuple):
    """Of a rung, percent of its pixels: with an answer, with the right one."""

    decided: float
    correct: float


@dataclass(frozen=True)
class Row:
    """One run."""

    trial: Trial
    outcome: str
    why: str
    miou: Mapping[str, float]  # percent by rung, in the ladder's order; empty while it is not finished
    cost: Cost
    explained: Mapping[str, float] = field(
        default_factory=dict
    )  # percent by explanation metric, if asked for
    seeds: Mapping[str, Seeds] = field(default_factory=dict)  # by rung


@dataclass(frozen=True)
class Point:
    """The runs of one point."""

    name: str
    values: Values
    rows: list[Row] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        return all(row.outcome == FINISHED for row in self.rows)

    @property
    def seconds(self) -> float:
        return sum(row.cost.seconds for row in self.rows)

    def scores(self, rung: str) -> dict[object, float]:
        """mIoU in percent by seed, of the runs that are finished."""
        return {row.trial.seed: row.miou[rung] for row in self.rows if rung in row.miou}

    def spread(self, rung: str) -> tuple[float, float | None] | None:
        """Mean and sample standard deviation over the seeds, None of a single run; None without a run."""
        return _spread(list(self.scores(rung).values()))

    def explained(self, metric: str) -> tuple[float, float | None] | None:
        """The same of an explanation metric."""
        return _spread([row.explained[metric] for row in self.rows if metric in row.explained])

    def seeds(self, rung: str) -> Seeds | None:
        """The mean over the seeds' runs; None where none is finished."""
        found = [row.seeds[rung] for row in self.rows if rung in row.seeds]
        return Seeds(*map(statistics.fmean, zip(*found, strict=True))) if found else None


def _spread(values: list[float]) -> tuple[float, float | None] | None:
    if not values:
        return None
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


@dataclass(frozen=True)
class Outcome:
    sweep: Sweep
    points: list[Point]
    rungs: list[str]
    predictions: str = ""  # the rung of what the segmenter says, if any run has one

    @property
    def seeds(self) -> list[str]:
        """The rungs that leave pixels unknown in some run."""
        all_of = [(rung, row.seeds[rung]) for row in self.rows for rung in self.rungs if rung in row.seeds]
        open_ = {rung for rung, seeds in all_of if seeds.decided < 100}
        return [rung for rung in self.rungs if rung in open_]

    @property
    def rows(self) -> list[Row]:
        return [row for point in self.points for row in point.rows]

    @property
    def explained(self) -> list[str]:
        """The explanation metrics that some run has."""
        return [key for key in explanation.WORDS if any(key in row.explained for row in self.rows)]

    def ranked(self, rung: str) -> list[tuple[float, Point]]:
        """The points whose runs are all finished, with their means, best first."""
        whole = [(point.spread(rung), point) for point in self.points if point.finished]
        found = [(spread[0], point) for spread, point in whole if spread]
        return sorted(found, key=lambda pair: -pair[0])

    def best(self, rung: str) -> list[Point]:
        """The best point, and those that are equal to it; none where all points are equal."""
        ranked = self.ranked(rung)
        if len(ranked) > 1 and ranked[0][0] - ranked[-1][0] <= EXACT:
            return []
        return [point for mean, point in ranked if ranked[0][0] - mean <= EXACT]


def read(
    root: Path, sweep: Sweep, trials: Sequence[Trial], done: set[str], ended: Sequence[Ended]
) -> Outcome:
    """`done` names the finished runs, `ended` says what became of others now."""
    costs, said = _costs(root, sweep), {one.trial.name: one for one in ended}
    points = [Point(sweep.point(index), values) for index, values in enumerate(sweep.points)]
    rungs: dict[str, None] = {}
    predictions = ""
    for trial in trials:
        known = FINISHED if trial.name in done else NOT_RUN
        one = said.get(trial.name, Ended(trial, known))
        numbers = _numbers(root, trial.name) if one.outcome == FINISHED else Numbers()
        predictions = predictions or numbers.predictions
        rungs |= dict.fromkeys(rung for rung, _ in numbers.miou)
        row = Row(
            trial,
            one.outcome,
            one.why,
            dict(numbers.miou),
            costs.get(trial.name, Cost()),
            dict(numbers.explained),
            dict(numbers.seeds),
        )
        next(point for point in points if point.name == trial.point).rows.append(row)
    if sweep.to:  # a run that changes nothing below its end has the rungs there too, of its commit
        finished = [row for point in points for row in point.rows if row.outcome == FINISHED]
        rungs = {rung: None for rung in rungs if all(rung in row.miou for row in finished)}
    return Outcome(sweep, points, list(rungs), predictions)


BEST = "miou_best_threshold"  # of a rung of maps
Pairs = tuple[tuple[str, float], ...]


class Numbers(NamedTuple):
    """Of a finished run: mIoU by rung that has a truth; explanation metrics and seeds, if it has any."""

    miou: Pairs = ()
    explained: Pairs = ()
    seeds: tuple[tuple[str, Seeds], ...] = ()
    predictions: str = ""  # the rung of data/predictions


def _numbers(root: Path, name: str) -> Numbers:
    try:
        return _of_commit(root, git.resolve(root, f"refs/heads/{git.BRANCH}{name}"))
    except ValueError:
        return Numbers()


@functools.lru_cache(maxsize=4096)  # a sweep's page is made anew after each of its runs
def _of_commit(root: Path, commit: str) -> Numbers:
    found = scores.read(open_run(root, commit))
    rung = explanation.read(found)
    numbers = rung.numbers if rung and rung.good else {}
    scored = [rung for rung in found.good if "miou" in rung.numbers]
    return Numbers(
        tuple(pair for rung in scored for pair in pairs(rung.name, rung.numbers)),
        tuple((key, numbers[key]) for key in explanation.WORDS if key in numbers),
        tuple((rung.name, _seeds(rung.numbers)) for rung in scored if "pixel_accuracy" in rung.numbers),
        next((rung.name for rung in scored if rung.results == "predictions"), ""),
    )


def pairs(rung: str, numbers: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """A rung of maps twice: at the fixed threshold, and at that which the masks choose."""
    yield rung, numbers["miou"]
    if BEST in numbers:
        yield f"{rung} (best)", numbers[BEST]


def _seeds(numbers: Mapping[str, float]) -> Seeds:
    """Where no pixel is unknown, all are decided, and metrics.json does not say so."""
    return Seeds(numbers.get("decided", 100.0), numbers.get("correct", numbers["pixel_accuracy"]))


def _costs(root: Path, sweep: Sweep) -> dict[str, Cost]:
    """By run: of the ledger's entries since the sweep began."""
    entries: dict[str, list[dict[str, Any]]] = {}
    for entry in ledger.read(root):
        if _since(entry, sweep.started):
            entries.setdefault(str(entry.get("run")).rpartition(" ")[2], []).append(entry)
    return {
        name: Cost(
            sum(entry.get("outcome") == RAN for entry in found),
            sum(entry.get("outcome") == RESTORED for entry in found),
            sum(float(entry.get("seconds", 0)) for entry in found),
        )
        for name, found in entries.items()
    }


def _since(entry: Mapping[str, Any], started: str) -> bool:
    try:
        return datetime.fromisoformat(entry["ended"]) >= datetime.fromisoformat(started)
    except (KeyError, TypeError, ValueError):
        return False
