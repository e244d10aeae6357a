"""`wsss ledger`: check all rows, say what is missing and what the rest takes, run it, keep a page of it."""

import os
from collections.abc import Sequence
from pathlib import Path

from pipeline.engine import terminal, worktrees
from pipeline.ledger import estimate, page, picture, points, rows, runs, table
from pipeline.ledger.points import Point
from pipeline.ledger.runs import Rows
from pipeline.project import git, locks, places
from pipeline.sweep import definition, trials
from pipeline.sweep.command import warn_of_changes
from pipeline.sweep.definition import Trial
from pipeline.sweep.trials import CANCELLED, FAILED, FINISHED, NOT_RUN, Ended
from stages.common.door import visible


class Ledger:
    """The rows of a set at a commit: which there are, which are made, which could be."""

    def __init__(self, root: Path, name: str, seeds: int) -> None:
        self.root, self.name, self.seeds = root, name, seeds
        self.all = rows.read(root)
        self.kinds = self.all.of(name)
        self.revision = git.resolve(root, "HEAD")
        self.points: list[Point] = points.make(root, self.revision, self.kinds, name, self.all.sets[name])
        self.rows: Rows = runs.sweep(name, self.revision, seeds, self.points)
        base = definition.base_values(root, self.revision)
        self.trials = self.rows.trials(base)
        self.there = runs.there(root, self.rows, self.trials, base)
        lacks = {f"{self.rows.name}-{point.row.name}": points.missing(root, point) for point in self.points}
        self.missing: dict[str, list[str]] = {name: lines for name, lines in lacks.items() if lines}
        self.before = [ended for trial in self.trials if (ended := self._before(trial))]
        self.ended: list[Ended] = []

    def _before(self, trial: Trial) -> Ended | None:
        """What is known of a run that is not there: it is of something else, or its last attempt failed."""
        if trial.name in self.there.stale:
            return Ended(trial, "made with other parameters, stages or code")
        log = trials.logs(self.root, self.rows) / trial.name
        if trial.name in self.there.finished or not log.is_dir():
            return None
        return Ended(trial, FAILED, f"what it said is in {log.relative_to(self.root)}")

    def open(self, only: Sequence[str]) -> list[Trial]:
        """The runs of the chosen rows that are not made and lack nothing."""
        wanted = {f"{self.rows.name}-{row.name}" for row in rows.chosen(self.kinds, only)} - {*self.missing}
        return [
            trial for trial in self.trials
            if trial.point in wanted and trial.name not in self.there.finished
        ]  # fmt: skip

    @property
    def plain(self) -> str:
        return next(f"{self.rows.name}-{point.row.name}" for point in self.points if point.is_plain)

    def table(self) -> table.Table:
        made = table.lines(
            self.root,
            self.rows,
            self.points,
            self.trials,
            self.there.finished,
            [*self.before, *self.ended],
            self.missing,
        )
        title = self.all.sets[self.name].title
        others = self.all.elsewhere(self.name)
        return table.Table(self.name, title, self.revision, self.seeds, made, others, self.all.systems)


def main(
    root: Path,
    name: str,
    only: Sequence[str],
    seeds: int,
    jobs: int,
    only_plan: bool = False,
    only_page: bool = False,
    svg: Path | None = None,
) -> int:
    """Returns the exit status: 0 if all chosen rows that can run are finished, 1 if not, 130 after Ctrl-C."""
    root = git.main_root(root)
    warn_of_changes(root, git.resolve(root, "HEAD"))
    ledger = Ledger(root, name, seeds)
    open_ = ledger.open(only)
    _say(ledger, open_)
    if svg:
        picture.draw(ledger.table(), svg)
        print(f"{svg} is written")
        return 0
    if only_page:
        return _write(ledger)
    lock = places.state(root) / "sweeps" / f"{ledger.rows.name}.lock"
    with locks.take(lock, f"wsss-ledger-{os.getpid()}", f"the ledger of {name}"):
        mine = {trial.name for trial in ledger.trials} | {f"{ledger.rows.name}-plan"}
        trials.clear(root, ledger.rows.name, [left for left in worktrees.names(root) if left in mine])
        with terminal.Terminal() as listener:
            order = _plan(ledger, open_, jobs, listener)
            if only_plan:
                return 0
            cancelled = _run(ledger, order, jobs, listener)
    _write(ledger)
    bad = [one for one in ledger.ended if one.outcome != FINISHED]
    if bad:
        for log in sorted(trials.logs(root, ledger.rows).glob("*/*")):
            print(f"the output of a failed stage: {log.relative_to(root)}")
        print(f"the same command goes on with the {len(bad)} runs that are not finished")
    if cancelled or any(one.outcome in (CANCELLED, NOT_RUN) for one in bad):
        return 130
    return int(bool(bad) or len(order) < len(open_))


def _say(ledger: Ledger, open_: Sequence[Trial]) -> None:
    size = f"{len(ledger.points)} rows x {ledger.seeds} seed{'s' * (ledger.seeds > 1)}"
    made = f"{len(ledger.there.finished)} of {len(ledger.trials)} runs are made, {len(open_)} to make"
    print(f"ledger of {ledger.name}: {size}, commit {ledger.revision[:10]}; {made}")
    for point, lines in ledger.missing.items():
        print(visible(f"  {point} is not run: {'; '.join(lines)}"))
    if stale := [trial for trial in open_ if trial.name in ledger.there.stale]:
        print(f"made again, for they are of other parameters, stages or code: {len(stale)}")


def _plan(ledger: Ledger, open_: Sequence[Trial], jobs: int, listener: terminal.Terminal) -> list[Trial]:
    """Says the plan; returns the runs in order, without those that could not run."""
    if not open_:
        return []
    rows_open = len({trial.point for trial in open_})
    print(f"planning {rows_open} rows, which takes about a second each")
    found = estimate.make(ledger.root, ledger.rows, open_, ledger.plain, listener)
    for line in estimate.lines(found, jobs):
        print(visible(line))
    for one in found:
        if one.blocked:
            ledger.missing[one.point] = [one.blocked]
    return [trial for one in found if not one.blocked for trial in open_ if trial.point == one.point]


def _run(ledger: Ledger, order: Sequence[Trial], jobs: int, listener: terminal.Terminal) -> bool:
    """Whether it was cancelled."""
    if not order:
        return False
    runs.forget(ledger.root, [trial.name for trial in order if trial.name in ledger.there.stale])

    def tell(one: Ended) -> None:
        ledger.ended.append(one)
        left = len(order) - len(ledger.ended)
        print(visible(f"{one.trial.name}: {one.outcome}{f': {one.why}' if one.why else ''} ({left} to go)"))
        page.write(ledger.root, ledger.table())

    return trials.run(ledger.root, ledger.rows, order, jobs, listener, tell)


def _write(ledger: Ledger) -> int:
    place = page.write(ledger.root, ledger.table()).relative_to(ledger.root)
    print(f"{place} is written: open it in a browser; beside it a CSV and a summary for a pull request")
    return 0
