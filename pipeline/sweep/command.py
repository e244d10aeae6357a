"""`wsss sweep`: check all, say what it costs, run what is not finished, keep tables and a page of it."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.engine import terminal, worktrees
from pipeline.project import git, locks, places, presets, words
from pipeline.sweep import definition, grid, outcome, page, plan, summary, trials
from pipeline.sweep.definition import Sweep, Trial
from pipeline.sweep.trials import CANCELLED, FINISHED, NOT_RUN, Ended, Tell
from stages.common.door import visible


@dataclass(frozen=True)
class Asked:
    """The words of the command line."""

    axes: Sequence[str] = ()
    file: Path | None = None
    seeds: int | None = None
    name: str | None = None
    revision: str | None = None
    resume: str | None = None
    to: Sequence[str] = ()


Drive = Callable[[Sweep, Sequence[Trial], int, Tell], bool]
"""Runs the trials, so many at once, and tells how each ended; whether it was cancelled."""


def main(root: Path, asked: Asked, jobs: int, only_plan: bool, drive: Drive | None = None) -> int:
    """Returns the exit status: 0 if all runs are finished, 1 if not, 130 after Ctrl-C.

    `drive` runs the trials elsewhere than in this process.
    """
    root = git.main_root(root)
    sweep = _sweep(root, asked)
    every = sweep.trials(_checked(root, sweep))
    with locks.take(_lock(root, sweep), f"wsss-sweep-{os.getpid()}", f"sweep {sweep.name}"):
        done = trials.finished(root, sweep, every)
        trials.clear(root, sweep.name, trials.left(root, sweep.name))
        open_ = [trial for trial in every if trial.name not in done]
        _say_plan(root, sweep, every, open_, jobs)
        if only_plan:
            return 0
        return _run(root, sweep, every, open_, done, jobs, drive)


def _lock(root: Path, sweep: Sweep) -> Path:
    return places.state(root) / "sweeps" / f"{sweep.name}.lock"


def _sweep(root: Path, asked: Asked) -> Sweep:
    """The sweep that is meant: one that is to go on, or a new one."""
    if asked.resume:
        if any((asked.axes, asked.file, asked.seeds, asked.name, asked.revision, asked.to)):
            raise ValueError(
                f"--resume {asked.resume} takes everything from the sweep: give nothing else but -j"
            )
        return definition.read(root, asked.resume)
    revision = git.resolve(root, asked.revision or "HEAD")
    if not asked.revision:
        warn_of_changes(root, revision)
    base = definition.base_values(root, revision)
    points = grid.points(asked.axes, asked.file, presets.dotted(base))
    keys = dict.fromkeys(key for values in points for key in values)  # a cell of a table may be empty
    points = grid.unique(
        {key: values.get(key, definition.value_at(base, key)) for key in keys} for values in points
    )
    if asked.name:
        worktrees.check_name(f"{asked.name}-{len(points):02}-s{asked.seeds or 0}")  # the longest of its runs
    to = tuple(sorted(set(asked.to)))
    name = asked.name or definition.default_name(revision, points, asked.seeds, to)
    started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    sweep = Sweep(name, revision, asked.seeds, tuple(points), started, to)
    if name not in definition.names(root):
        return sweep
    before = definition.read(root, name)
    if not before.same_as(sweep):
        raise ValueError(_another(before, sweep))
    return before


def _another(before: Sweep, sweep: Sweep) -> str:
    parts = {
        "points": before.points != sweep.points,
        "seeds": before.seeds != sweep.seeds,
        "--to": before.to != sweep.to,
        f"commit ({before.revision[:10]}, now {sweep.revision[:10]})": before.revision != sweep.revision,
    }
    different = ", ".join(part for part, differs in parts.items() if differs)
    return (
        f"sweep {sweep.name} is there with other {different}: `wsss sweep --resume {sweep.name}` goes on with"
        " it as it was, another --name begins a new one (what both share is not computed twice)"
    )


def warn_of_changes(root: Path, revision: str, read: tuple[str, ...] = ()) -> None:
    """A sweep runs what is committed; `read` are folders that are read as they lie there."""
    changed = git.run(root, "diff", "--name-only", "--relative", "HEAD", "--", ".").splitlines()
    changed = [path for path in changed if path != "dvc.lock" and not path.startswith(("reports/", *read))]
    if changed:
        shown = words.shorten(tuple(changed))
        print(f"warning: the sweep runs commit {revision[:10]}, without your changes in: {shown}")


def _checked(root: Path, sweep: Sweep) -> dict[str, object]:
    """The commit's parameters. ValueError with all that is wrong with the points."""
    base = definition.base_values(root, sweep.revision)
    keys = definition.seed_keys(base)
    problems = definition.problems(root, sweep, base)
    if sweep.seeds and not keys:
        problems.append("--seeds: params.yaml has no key seed outside the section generate")
    if both := [key for key in keys if sweep.seeds and key in sweep.points[0]]:
        problems.append(f"--seeds sets {', '.join(both)}: leave it out of the grid")
    if problems:
        raise ValueError("\n  ".join([f"sweep {sweep.name}: {len(problems)} problem(s)", *problems]))
    return base


def _say_plan(root: Path, sweep: Sweep, every: list[Trial], open_: list[Trial], jobs: int) -> None:
    print(f"sweep {sweep.name}: {summary.size(sweep)}, commit {sweep.revision[:10]}")
    for index, values in enumerate(sweep.points):
        print(visible(f"  {sweep.point(index)}  {grid.words(values)}"))
    if len(open_) < len(every):
        print(f"{len(every) - len(open_)} of {len(every)} runs are finished")
    if open_:
        with terminal.Terminal() as listener:
            plan.show(plan.make(root, sweep, open_, listener), print, jobs)


def _run(
    root: Path, sweep: Sweep, every: list[Trial], open_: list[Trial], done: set[str], jobs: int,
    drive: Drive | None,
) -> int:  # fmt: skip
    definition.write(root, sweep)
    ended: list[Ended] = []

    def tell(one: Ended) -> None:
        ended.append(one)
        print(visible(f"{one.trial.name}: {one.outcome}{f': {one.why}' if one.why else ''}"))
        summary.write(root, outcome.read(root, sweep, every, done, ended))

    if not open_:
        cancelled = False
    elif drive:
        cancelled = drive(sweep, open_, jobs, tell)
    else:
        with terminal.Terminal() as listener:
            cancelled = trials.run(root, sweep, open_, jobs, listener, tell)
    return _report(root, sweep, outcome.read(root, sweep, every, done, ended), cancelled)


def _report(root: Path, sweep: Sweep, found: outcome.Outcome, cancelled: bool) -> int:
    summary.write(root, found)
    place = definition.folder(root, sweep.name)
    page.write(root, found)
    summary.show(found, place.relative_to(root))
    print(f"{(place / 'index.html').relative_to(root)} shows it")
    bad = [row for row in found.rows if row.outcome != FINISHED]
    if bad:
        print(f"`wsss sweep --resume {sweep.name}` goes on with the {len(bad)} that are not finished")
    if cancelled or any(row.outcome in (CANCELLED, NOT_RUN) for row in bad):
        return 130
    return int(bool(bad))
