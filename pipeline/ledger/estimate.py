"""What the runs that are not there yet would take, row by row, the cheapest first.

A row's first open run is planned, and its other seeds are taken to cost as much. Work that several rows need
is counted once, where the first of them does it. A stage's time is that of the row's own earlier runs, else
that of the stage in any recipe, and then the row's is "about". Where one never ran here, the row takes what
the record says that it took elsewhere; of a row that is not there either nobody knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.ledger.runs import Rows
from pipeline.memory.plan import BLOCKED, Plan
from pipeline.project import ledger
from pipeline.project.outcomes import Listener
from pipeline.project.words import clock
from pipeline.sweep import plan
from pipeline.sweep.definition import Trial


@dataclass(frozen=True)
class Estimate:
    """A row's open runs."""

    point: str
    runs: int
    seconds: float  # of all of them, of the stages whose time is known
    unknown: tuple[str, ...]  # the stages that never ran here
    borrowed: bool  # whether some times are those of other rows
    recorded: bool = False  # whether the time is that of the record, for some of its stages never ran here
    blocked: str = ""  # why it could not run


def make(
    root: Path,
    rows: Rows,
    open_: Sequence[Trial],
    plain: str,
    listener: Listener,
    record: Mapping[str, float],
) -> list[Estimate]:
    """The plain row first, then the cheapest; what nobody knows comes last.

    `record` has the seconds of a run by point.
    """
    of_point: dict[str, list[Trial]] = {}
    for trial in open_:
        of_point.setdefault(trial.point, []).append(trial)
    firsts = [trials[0] for trials in of_point.values()]
    plans = dict(zip(of_point, plan.each(root, rows, firsts, listener), strict=True))
    lines = ledger.read(root)
    own = {point: _own(lines, point) for point in plans}
    costs = {point: _work(*plans[point], own[point]) for point in plans}
    done = set(costs[plain]) if plain in costs else set()
    order = sorted(costs, key=lambda point: (point != plain, *_price(costs[point], done, record.get(point))))
    found, counted = [], set[str]()
    for point in order:
        new = {key: cost for key, cost in costs[point].items() if key not in counted}
        counted |= new.keys()
        known = [seconds for _, seconds in new.values() if seconds is not None]
        unknown = tuple(stage for stage, seconds in new.values() if seconds is None)
        runs, borrowed = len(of_point[point]), any(stage not in own[point] for stage, _ in new.values())
        recorded = bool(unknown) and point in record
        seconds, unknown = (record[point], ()) if recorded else (sum(known), unknown)
        blocked = _blocked(plans[point][0])
        found.append(Estimate(point, runs, runs * seconds, unknown, borrowed, recorded, blocked))
    return found


Work = dict[str, tuple[str, float | None]]  # by key of the work: the stage, its seconds


def _work(planned: Plan, key_of: dict[str, str], own: dict[str, float]) -> Work:
    return {
        key_of[name]: (name, own.get(name, row.estimate)) for name, row in planned.rows.items() if row.runs
    }


def _own(lines: Sequence[dict[str, Any]], point: str) -> dict[str, float]:
    """The usual seconds of each stage in the point's own runs."""
    return ledger.typical(
        line for line in lines if str(line.get("run")).rpartition(" ")[2].rpartition("-s")[0] == point
    )


def _price(work: Work, done: set[str], recorded: float | None) -> tuple[int, float]:
    """To sort by: how many stages nobody knows, and the seconds of the rest; without what is done."""
    times = [seconds for key, (_, seconds) in work.items() if key not in done]
    if None in times and recorded is not None:
        return 0, recorded
    return times.count(None), sum(seconds for seconds in times if seconds is not None)


def _blocked(planned: Plan) -> str:
    rows = [row for row in planned.rows.values() if row.state == BLOCKED]
    return "; ".join(f"{row.stage}: {'; '.join(row.why)}" for row in rows[:1])


def lines(estimates: Sequence[Estimate], jobs: int) -> list[str]:
    """A line per row, and what they add up to."""
    width = max((len(one.point) for one in estimates), default=0)
    found = [
        f"  {one.point:<{width}}  {one.runs} run{'s' * (one.runs > 1)}  {_time(one)}" for one in estimates
    ]
    free = [one for one in estimates if not one.blocked]
    runs, unknown = sum(one.runs for one in free), [one for one in free if one.unknown]
    total = f"{runs} runs to make, {clock(sum(one.seconds for one in free))} one after another at most"
    if jobs > 1:
        total += f", with -j {jobs} no less than {clock(sum(one.seconds for one in free) / jobs)}"
    if unknown:
        total += f"; besides what never ran here, in {len(unknown)} of {len(free)} rows"
    return [*found, total]


def _time(one: Estimate) -> str:
    if one.blocked:
        return f"cannot run: {one.blocked}"
    unknown = f"not known: {', '.join(one.unknown[:4])}{' ...' * (len(one.unknown) > 4)}"
    if one.unknown:
        return f"{clock(one.seconds)} and {unknown}" if one.seconds else unknown
    return (
        f"{'about ' * (one.borrowed or one.recorded)}{clock(one.seconds)}{', by the record' * one.recorded}"
    )
