"""All rows of a set beside each other: each score over the seeds, against the plain row's of equal seeds."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.ledger import numbers
from pipeline.ledger.numbers import Cost
from pipeline.ledger.points import Point
from pipeline.ledger.results import Result
from pipeline.ledger.rows import PLAIN, Row, System
from pipeline.ledger.runs import Rows
from pipeline.results import noise
from pipeline.results.scores import text
from pipeline.sweep.definition import Trial
from pipeline.sweep.trials import FINISHED, NOT_RUN, Ended


@dataclass(frozen=True)
class Score:
    """A rung or metric of a row, in percent."""

    by_seed: Mapping[object, float]
    change: noise.Change | None  # against the plain row; None of that row, and where no seed is in common
    sense: int  # 1 where more is better, -1 where less is

    @property
    def mean(self) -> float:
        return statistics.fmean(self.by_seed.values())

    @property
    def deviation(self) -> float | None:
        """Over the seeds."""
        return statistics.stdev(self.by_seed.values()) if len(self.by_seed) > 1 else None

    @property
    def text(self) -> str:
        return text(self.mean) + ("" if self.deviation is None else f" ± {text(self.deviation)}")


@dataclass(frozen=True)
class Line:
    """A row of the set. What is not known is not there: no score, None of a cost."""

    kind: str
    row: Row
    point: str  # its runs' name without the seed
    runs: int
    finished: int
    state: str  # in words, with what it lacks
    scores: Mapping[str, Score]
    cost: Cost
    kept_on: list[str] = field(default_factory=list)  # the machines of the runs that were not made here
    earlier: int = 0  # of the finished runs those by code that has changed since


@dataclass(frozen=True)
class Table:
    name: str  # of the set
    title: str
    revision: str
    seeds: int
    lines: list[Line]
    elsewhere: list[tuple[str, Row]]  # rows that this set does not have
    systems: list[System] = field(default_factory=list)
    seed: int | None = None  # the only one that it is of
    lacking: list[str] = field(default_factory=list)  # what this machine lacks for every row

    @property
    def kinds(self) -> dict[str, list[Line]]:
        """The lines by kind, without the plain one."""
        found: dict[str, list[Line]] = {}
        for line in self.lines:
            if line.kind != PLAIN:
                found.setdefault(line.kind, []).append(line)
        return found

    @property
    def plain(self) -> Line:
        return next(line for line in self.lines if line.kind == PLAIN)

    def again(self, line: Line) -> str:
        """The command that makes a row, in this clone from the cache, in another one by computing."""
        seeds = self.seeds if self.seed is None else max(3, self.seed + 1)
        options = f" --set {self.name}" * (self.name != "demo") + f" --seeds {seeds}" * (seeds != 3)
        alone = "" if self.seed is None else f" --seed {self.seed}"
        return f"wsss ledger --only {line.row.name}{options}{alone}"

    @property
    def over(self) -> str:
        """The seeds in words."""
        if self.seed is not None:
            return f"the seed {self.seed}"
        return f"{self.seeds} seed{'s' * (self.seeds > 1)}"


def labels(lines: Sequence[Line]) -> list[str]:
    """The scores that some of the lines have, in the order of the first that has each."""
    return list(dict.fromkeys(label for line in lines for label in line.scores))


def lacking(missing: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Each line of what rows lack, with the points of the rows that lack it."""
    found: dict[str, list[str]] = {}
    for point, lines in missing.items():
        for line in lines:
            found.setdefault(line, []).append(point)
    return found


def lines(
    rows: Rows, points: Sequence[Point], trials: Sequence[Trial], results: Mapping[str, Result],
    ended: Sequence[Ended], missing: Mapping[str, Sequence[str]],
) -> list[Line]:  # fmt: skip
    """`results` are those of finished runs, by name; `missing` is what a row lacks, by its point."""
    said = {one.trial.name: one for one in ended}
    of_point: dict[str, dict[int | None, Result]] = {trial.point: {} for trial in trials}
    for trial in trials:
        if trial.name in results:
            of_point[trial.point][trial.seed] = results[trial.name]
    plain = next(rows.point(index) for index, point in enumerate(points) if point.is_plain)
    made = []
    for index, point in enumerate(points):
        name = rows.point(index)
        mine, runs = [trial for trial in trials if trial.point == name], of_point[name]
        state = _state(mine, results, said, missing.get(name, ()))
        scores = _scores(runs, {} if name == plain else of_point[plain])
        cost = _cost([run.cost for run in runs.values()])
        machines = [run.machine for run in runs.values() if run.kept]
        earlier = len(_earlier(runs.values()))
        made.append(
            Line(point.kind, point.row, name, len(mine), len(runs), state, scores, cost, machines, earlier)
        )
    return made


def _state(
    trials: Sequence[Trial], done: Mapping[str, Result], said: Mapping[str, Ended], missing: Sequence[str]
) -> str:
    finished = sum(trial.name in done for trial in trials)
    commits = _earlier(done[trial.name] for trial in trials if trial.name in done)
    count = f"; {len(commits)}" if len(commits) < finished else ","
    earlier = f"{count} by the code of {', '.join(dict.fromkeys(commits))}" if commits else ""
    if finished == len(trials):
        return FINISHED + earlier
    others = [said.get(trial.name, Ended(trial, NOT_RUN)) for trial in trials if trial.name not in done]
    why = "; ".join(dict.fromkeys(f"{one.outcome}{f': {one.why}' if one.why else ''}" for one in others))
    if missing:
        why = f"{NOT_RUN}: {'; '.join(missing)}"
    return f"{finished} of {len(trials)} runs finished{earlier}; the others: {why}" if finished else why


def _earlier(runs: Iterable[Result]) -> list[str]:
    """The commits of runs that other code made than there is now."""
    return [run.earlier for run in runs if run.earlier]


def _scores(runs: Mapping[int | None, Result], plain: Mapping[int | None, Result]) -> dict[str, Score]:
    mine, other = _by_label(runs), _by_label(plain)
    return {
        label: Score(by_seed, against(other.get(label, {}), by_seed), numbers.sense(label))
        for label, by_seed in mine.items()
    }


def against(plain: Mapping[object, float], row: Mapping[object, float]) -> noise.Change | None:
    """Of equal seeds alone, which may be of different machines; None where there is none."""
    shared = [seed for seed in row if seed in plain]
    if not shared:
        return None
    return noise.compare({seed: plain[seed] for seed in shared}, {seed: row[seed] for seed in shared})


def _by_label(runs: Mapping[int | None, Result]) -> dict[str, dict[object, float]]:
    found: dict[str, dict[object, float]] = {}
    for seed, run in runs.items():
        for label, value in run.scores.items():
            found.setdefault(label, {})[seed] = value
    return found


def _cost(each: Sequence[Cost]) -> Cost:
    """Of a run, the mean over those that are known."""
    means = [
        statistics.fmean(known) if (known := [value for value in column if value is not None]) else None
        for column in zip(*((one.seconds, one.own, one.memory) for one in each), strict=True)
    ]
    return Cost(*means) if means else Cost(None, None, None)
