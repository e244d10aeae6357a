"""`wsss ledger`: check all rows, say what is missing and what the rest takes, run it, keep a page of it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pipeline.engine import terminal, worktrees
from pipeline.ledger import estimate, page, picture, record, runs, table
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.rows import FOLDER
from pipeline.project import git, locks, places
from pipeline.sweep import trials
from pipeline.sweep.command import warn_of_changes
from pipeline.sweep.definition import Trial
from pipeline.sweep.trials import CANCELLED, FINISHED, NOT_RUN, Ended
from stages.common.door import visible

Do = Literal["run", "plan", "page", "keep"]
FEW = 8  # rows are named, more are counted


def main(
    root: Path,
    name: str,
    only: Sequence[str],
    seeds: int,
    jobs: int,
    do: Do = "run",
    new: bool = False,
    seed: int | None = None,
    svg: Path | None = None,
) -> int:
    """Returns the exit status: 0 if all chosen rows that can run are finished, 1 if not, 130 after Ctrl-C."""
    here, root = root, git.main_root(root)
    if here != root:
        print(f"a worktree of {root}: the ledger is read, run and written there")
    warn_of_changes(root, git.resolve(root, "HEAD"), read=(f"{FOLDER}/", "presets/"))
    ledger = Ledger(root, name, seeds)
    open_ = ledger.open(only, new, seed)
    _say(ledger, open_)
    if do == "keep":
        if unseen := sorted(seed for _, seed in ledger.record if seed >= seeds):
            raise ValueError(f"--keep --seeds {seeds}: the record has seeds up to {unseen[-1]}")
        if ledger.gone:
            print(f"left out of the record, for the set has no such rows: {', '.join(ledger.gone)}")
        kept = [ledger.keep(), page.keep(root, ledger.of_record())]
        print(f"{' and '.join(str(file.relative_to(root)) for file in kept)} are written: commit them")
        return 0
    if svg:
        picture.draw(ledger.table(seed), svg)
        print(f"{svg} is written")
        return 0
    if do == "page":
        return _write(ledger, seed)
    lock = places.state(root) / "sweeps" / f"{ledger.rows.name}.lock"
    with locks.take(lock, f"wsss-ledger-{os.getpid()}", f"the ledger of {name}"):
        mine = {trial.name for trial in ledger.trials} | {f"{ledger.rows.name}-plan"}
        trials.clear(root, ledger.rows.name, [left for left in worktrees.names(root) if left in mine])
        with terminal.Terminal() as listener:
            order = _plan(ledger, open_, jobs, listener)
            if do == "plan":
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
    for line, points in table.lacking(ledger.missing).items():
        print(visible(f"  {_rows(ledger, points)} not run: {line}"))
    if ledger.kept or ledger.earlier:
        print(f"kept in {record.path(Path(), ledger.name)}: {len(ledger.kept)} of {len(ledger.trials)} runs")
    if ledger.earlier:
        print(f"  and by code that has changed since, made again without --new: {len(ledger.earlier)}")
    if stale := [trial for trial in open_ if trial.name in ledger.there.stale]:
        print(f"made again, for they are of other parameters, stages or code: {len(stale)}")


def _rows(ledger: Ledger, points: Sequence[str]) -> str:
    """Rows in words: by name where they are few."""
    if len(points) == len(ledger.points):
        return f"all {len(points)} rows are"
    if len(points) > FEW:
        return f"{len(points)} rows are"
    names = [point.removeprefix(f"{ledger.rows.name}-") for point in points]
    return f"{', '.join(names)} {'is' if len(points) == 1 else 'are'}"


def _plan(ledger: Ledger, open_: Sequence[Trial], jobs: int, listener: terminal.Terminal) -> list[Trial]:
    """Says the plan; returns the runs in order, without those that could not run."""
    if not open_:
        return []
    rows_open = len({trial.point for trial in open_})
    print(f"planning {rows_open} rows, which takes about a second each")
    recorded = ledger.recorded(open_)
    found = estimate.make(ledger.root, ledger.rows, open_, ledger.plain, listener, recorded)
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
        why = f": {one.why}" if one.why else ledger.compared(one.trial) if one.outcome == FINISHED else ""
        print(visible(f"{one.trial.name}: {one.outcome}{why} ({left} to go)"))
        page.write(ledger.root, ledger.table())

    return trials.run(ledger.root, ledger.rows, order, jobs, listener, tell)


def _write(ledger: Ledger, seed: int | None = None) -> int:
    place = page.write(ledger.root, ledger.table(seed)).relative_to(ledger.root)
    print(f"{place} is written: open it in a browser; beside it a CSV and a summary for a pull request")
    return 0
