"""What a sweep would compute, before it does: each piece of work counted once, whichever run does it."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.engine import worktrees
from pipeline.engine.workplace import Order, opened
from pipeline.memory import plan
from pipeline.memory.graph import Graph
from pipeline.project import words
from pipeline.project.outcomes import Listener
from pipeline.project.root import write_whole
from pipeline.sweep.definition import Sweep, Trial, value_at
from stages.common import stamps


@dataclass(frozen=True)
class Row:
    """One stage in all runs of a sweep that are not finished yet."""

    stage: str
    compute: int  # times, at most: what comes out above may be equal
    shared: int  # runs that restore what another one computes
    cached: int  # runs whose result is there already
    seconds: float | None  # of all that is to be computed, one after another; None: nobody knows


def keys(graph: Graph, params: Mapping[str, Any], code: Mapping[str, str]) -> dict[str, str]:
    """A key of each stage's work: equal keys are equal work, in runs of one commit.

    It is made of the stage's command, dependencies and parameters, of its stamp among `code` (by path), and
    of the keys of all that it reads from, save checks, whose output never changes, and what writes stamps.
    """
    found: dict[str, str] = {}
    for name, stage in graph.stages.items():
        own = {key: value_at(params, key) for key in stage.params}
        whole = params if "params.yaml" in stage.deps else None
        metas = {other: graph.stages[other].meta for other in stage.upstream}
        above = [found[other] for other, meta in metas.items() if not (meta.constant or meta.stamps)]
        files = [code[path] for path in stage.deps if path in code]
        work = [name, stage.cmd, sorted(stage.deps), own, whole, files, above]
        text = json.dumps(work, sort_keys=True, default=str)
        found[name] = hashlib.sha256(text.encode()).hexdigest()
    return found


def combine(plans: Iterable[tuple[plan.Plan, Mapping[str, str]]]) -> list[Row]:
    """The plans of single runs, each with its keys, as one: work of the same key is counted once."""
    work: dict[str, dict[str, float | None]] = {}  # seconds by stage and key
    counts: dict[str, tuple[int, int]] = {}  # runs that need it computed, runs that need nothing computed
    for planned, key_of in plans:
        for name, row in planned.rows.items():
            compute, cached = counts.get(name, (0, 0))
            counts[name] = (compute + row.runs, cached + (not row.runs))
            if row.runs:
                work.setdefault(name, {})[key_of[name]] = row.estimate
    return [_row(name, work.get(name, {}), *count) for name, count in counts.items()]


def _row(name: str, seconds: Mapping[str, float | None], compute: int, cached: int) -> Row:
    times = [time for time in seconds.values() if time is not None]
    known = sum(times) if len(times) == len(seconds) else None
    return Row(name, len(seconds), compute - len(seconds), cached, known)


def make(root: Path, sweep: Sweep, trials: Sequence[Trial], listener: Listener) -> list[Row]:
    """Plan each run at the sweep's commit, in a worktree that goes again; nothing is computed.

    Raises ValueError if something that a stage needs is missing.
    """
    plans, missing = each(root, sweep, trials, listener), []
    for trial, (planned, _) in zip(trials, plans, strict=True):
        blocked = (row for row in planned.rows.values() if row.state == plan.BLOCKED)
        missing += [f"{trial.name}, {row.stage}: {'; '.join(row.why)}" for row in blocked]
    if missing:
        raise ValueError(f"some stages could not run:\n{words.shorten(tuple(missing))}")
    return combine(plans)


def each(
    root: Path, sweep: Sweep, trials: Sequence[Trial], listener: Listener
) -> list[tuple[plan.Plan, dict[str, str]]]:
    """The plan of each run, with the keys of its work; what could not run is BLOCKED there."""
    order = Order(f"{sweep.name}-plan", revision=sweep.revision, kind="sweep")
    plans = []
    with opened(root, order, listener, lambda _: None) as engine:
        text = (engine.root / "params.yaml").read_text()
        for trial in trials:
            write_whole(engine.root / "params.yaml", text)
            worktrees.override(engine.root, trial.overrides)
            planned = engine.make_plan(trial.to)
            code = {f"{stamps.FOLDER}/{step}": text for step, text in stamps.all_of(engine.root).items()}
            plans.append((planned, keys(planned.graph, _params(engine.root), code)))
    return plans


def _params(place: Path) -> dict[str, Any]:
    from stages.common.params import read_yaml

    return read_yaml(place / "params.yaml")


def show(rows: Sequence[Row], say: Callable[[str], None], jobs: int) -> None:
    """A line per stage, and what they add up to."""
    width = max((len(row.stage) for row in rows), default=5)
    say(f"{'stage':<{width}}  compute  shared  cached  time")
    for row in rows:
        took = words.clock(row.seconds) if row.compute else ""
        say(f"{row.stage:<{width}}  {row.compute:>7}  {row.shared:>6}  {row.cached:>6}  {took}".rstrip())
    say(summary(rows, jobs))


def summary(rows: Sequence[Row], jobs: int) -> str:
    compute, shared, cached = (
        sum(getattr(row, what) for row in rows) for what in ("compute", "shared", "cached")
    )
    bound = "at most " if compute else ""
    counts = f"{bound}{compute} stages to compute, {shared} shared between runs, {cached} from the cache"
    if not compute:
        return counts
    times = [row.seconds for row in rows if row.compute]
    if None in times:
        return f"{counts}; time not known yet"
    total = sum(time for time in times if time is not None)
    at_best = f", with -j {jobs} no less than {words.clock(total / jobs)}" if jobs > 1 else ""
    return f"{counts}; {words.clock(total)} one after another{at_best}"
