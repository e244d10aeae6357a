"""The runs of a sweep: some at a time, each in a worktree of its own, which goes with it.

`-j` counts runs, and a run's stages come one after another: the runs are alike, so that as many stages are at
work as if the places were divided among all. Of two runs that need the same work the second waits for the
first (the lock per stage and input key) and restores what that has made.
"""

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.engine import recipe, terminal, worktrees
from pipeline.engine.stage import GRACE, message
from pipeline.engine.workplace import Order, opened
from pipeline.project import git, locks, places
from pipeline.project.ledger import SWEEP
from pipeline.project.outcomes import FAILED as STAGE_FAILED
from pipeline.project.outcomes import TIMEOUT, Result
from pipeline.sweep.definition import Sweep, Trial, base_values, folder, sweep_of, with_values

FINISHED, FAILED, CANCELLED, NOT_RUN = "finished", "failed", "cancelled", "not run"


@dataclass(frozen=True)
class Ended:
    """What became of a run."""

    trial: Trial
    outcome: str
    why: str = ""


Tell = Callable[[Ended], None]


def finished(root: Path, sweep: Sweep, trials: Sequence[Trial]) -> set[str]:
    """The names of the runs that are done: a branch of these stages and parameters, made from this commit.

    Raises ValueError for branches of these names that hold something else.
    """
    base, there, other = base_values(root, sweep.revision), set(git.branches(root)), []
    done = set()
    for trial in trials:
        if trial.name not in there:
            continue
        branch = f"refs/heads/{git.BRANCH}{trial.name}"
        parents = git.run(root, "rev-list", "--parents", "-n1", branch).split()[1:]
        same = parents == [sweep.revision] and worktrees.kept_to(root, branch) == trial.to
        if same and base_values(root, branch) == with_values(base, trial.overrides):
            done.add(trial.name)
        else:
            other.append(git.BRANCH + trial.name)
    if other:
        raise ValueError(
            f"{', '.join(other)}: there already, with other parameters or stages, or of another commit; give"
            f" the sweep another --name, or forget them: git branch -D {' '.join(other)}"
        )
    return done


def left(root: Path, sweep: str) -> list[str]:
    """The worktrees that are there of the sweep of that name."""
    return [name for name in worktrees.names(root) if sweep_of(root, name) == sweep]


def clear(root: Path, sweep: str, names: Sequence[str]) -> None:
    """Remove the worktrees that a killed sweep has left; waits until its stages have ended."""
    for name in names:
        lock = places.worktree_lock(worktrees.folder(root, name))
        _wait_for_the_dead(lock)
        with locks.take(lock, f"sweep {sweep}", f"the worktree {name}"):
            worktrees.remove(root, name)
        print(f"removed what a killed run had left: .worktrees/{name}")


def _wait_for_the_dead(lock: Path) -> None:
    """The stages of a run that was killed hold its worktree until they have ended."""
    until = time.monotonic() + GRACE + 10
    while locks.is_held(lock) and locks.is_dead(locks.holder(lock)) and time.monotonic() < until:
        time.sleep(0.2)


def run(
    root: Path, sweep: Sweep, trials: Sequence[Trial], jobs: int, listener: terminal.Terminal, tell: Tell
) -> bool:
    """Bring the runs to their end, `jobs` at a time; one that fails does not stop the others.

    `tell` hears of each in turn. Returns whether it was cancelled, by Ctrl-C or SIGTERM.
    """
    stop, hurry = threading.Event(), threading.Event()
    with recipe.interrupts(stop, hurry), ThreadPoolExecutor(jobs) as pool:
        asked = [
            pool.submit(_one, root, sweep, trial, _Lines(listener, trial.name), stop, hurry)
            for trial in trials
        ]
        for future in as_completed(asked):
            tell(future.result())
    return stop.is_set()


def _one(
    root: Path, sweep: Sweep, trial: Trial, listener: "_Lines", stop: threading.Event, hurry: threading.Event
) -> Ended:
    if stop.is_set():
        return Ended(trial, NOT_RUN)
    shutil.rmtree(logs(root, sweep) / trial.name, ignore_errors=True)  # of an attempt before
    order = Order(trial.name, overrides=trial.overrides, revision=sweep.revision, kind=SWEEP)
    try:
        with opened(root, order, listener, lambda _: None) as engine:
            engine.cancelled, engine.hurried = stop, hurry
            planned = recipe.interruptible(engine, lambda: engine.make_plan(trial.to))
            if planned is None:
                return Ended(trial, CANCELLED)
            results = recipe.run(engine, planned, planned.rows, 1, listener.result)
            why = recipe.faults(results)
            if not why:
                worktrees.keep(engine.root, trial.name, f"Run {trial.name} of sweep {sweep.name}", trial.to)
                return Ended(trial, FINISHED)
            _keep_logs(root, sweep, trial, engine.root, results)
    except Exception as error:  # of one run: the others go on
        why = message(error)
    return Ended(trial, CANCELLED if stop.is_set() else FAILED, why)


def logs(root: Path, sweep: Sweep) -> Path:
    """A folder per run whose last attempt failed, with what the failed stages said."""
    return folder(root, sweep.name) / "logs"


def _keep_logs(root: Path, sweep: Sweep, trial: Trial, place: Path, results: recipe.Results) -> None:
    """The worktree goes: what a failed stage has said goes to the sweep's folder."""
    for result in results.values():
        log = places.log(place, result.stage)
        if result.outcome in (STAGE_FAILED, TIMEOUT) and log.is_file():
            kept = logs(root, sweep) / trial.name
            kept.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(log, kept / log.name)


class _Lines:
    """A listener of one run among others: outcomes and bars; what the stages say is in their logs."""

    def __init__(self, terminal: terminal.Terminal, trial: str) -> None:
        self.terminal, self.trial = terminal, trial

    def line(self, stage: str, text: str) -> None:
        if not stage:
            self.terminal.line(self.trial, text)

    def progress(self, stage: str, what: str, done: int, total: int) -> None:
        self.terminal.progress(f"{self.trial} {stage}", what, done, total)

    def epoch(self, stage: str, values: dict[str, Any]) -> None: ...

    def result(self, result: Result) -> None:
        self.terminal.result(replace(result, stage=f"{self.trial} {result.stage}"))
