"""What a run and a plan look like in a terminal."""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from pipeline.memory import plan
from pipeline.project import places, words
from pipeline.project.outcomes import BLOCKED, FAILED, TIMEOUT, UNCHANGED, Result
from pipeline.project.words import escape
from stages.common.door import visible

WIDE = 200  # columns of a table that goes into a file
COLOURS = {
    "unchanged": "dim", "frozen": "dim", "restorable": "cyan", "restored": "cyan",
    "will run": "bold yellow", "may run": "yellow", "ran": "green",
    "failed": "bold red", "timeout": "bold red", "cancelled": "red", "blocked": "magenta",
}  # fmt: skip


class Pace:
    """How fast one stage gets on, and how long it still takes, from what it tells.

    The first count that it hears may be high: a stage that goes on where it was stopped.
    """

    def __init__(self) -> None:
        self.first: tuple[float, int] | None = None
        self.last, self.of = 0, ("", 0)

    def tell(self, what: str, done: int, total: int) -> str:
        """43 of 623 steps, 1.5/s, 6:27 left."""
        now = time.monotonic()
        if self.first is None or done < self.last or self.of != (what, total):  # another loop of the stage
            self.first, self.of = (now, done), (what, total)
        self.last = done
        began, before = self.first
        so_far = f"{done} of {total} {what}"
        speed = words.rate(done - before, now - began)
        if not speed or done >= total:
            return so_far
        left = (now - began) / (done - before) * (total - done)
        return f"{so_far}, {speed}, {words.clock(left)} left"


class Terminal:
    """A listener that prints every line behind its stage's name, and a bar per running stage."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self.bars = Progress(
            TextColumn("{task.description:>24}"), BarColumn(), TextColumn("{task.fields[pace]}"),
            console=self.console, transient=True, disable=not self.console.is_terminal,
        )  # fmt: skip
        self.tasks: dict[str, TaskID] = {}
        self.said: dict[str, float] = {}
        self.paces: dict[str, Pace] = {}
        self.width = 0  # of the names

    def __enter__(self) -> "Terminal":
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def make_room(self, names: Iterable[str]) -> None:
        """Names are padded to the longest, so that what follows them stands in a column."""
        self.width = max(map(len, names), default=0)

    def line(self, stage: str, text: str) -> None:
        name = f"[bold]{escape(stage.ljust(self.width))}[/] │ " if stage else ""
        self.console.print(f"{name}{escape(text)}")

    def result(self, result: Result) -> None:
        """What became of a stage, as soon as it has ended."""
        if result.stage in self.tasks:
            self.bars.update(self.tasks[result.stage], visible=False)
        why = f": {result.why}" if result.why else ""
        text = f"[{COLOURS[result.outcome]}]{result.outcome}[/] in {words.clock(result.seconds)}{escape(why)}"
        self.console.print(f"[bold]{escape(result.stage.ljust(self.width))}[/] │ {text}")

    def progress(self, stage: str, what: str, done: int, total: int) -> None:
        pace = self.paces.setdefault(stage, Pace()).tell(what, done, total)
        if not self.console.is_terminal:
            return self._progress_line(stage, pace)
        if stage not in self.tasks:
            self.tasks[stage] = self.bars.add_task(escape(stage), total=total, pace="")
        self.bars.update(self.tasks[stage], completed=done, total=total, visible=done < total, pace=pace)

    def _progress_line(self, stage: str, pace: str) -> None:
        """Into a file: every half minute, and nothing for what is quick."""
        now = time.monotonic()
        if now - self.said.setdefault(stage, now) > 30:
            self.said[stage] = now
            self.line(stage, pace)

    def epoch(self, stage: str, values: dict[str, Any]) -> None:
        numbers = [f"{name} {value:.4g}" for name, value in values.items() if isinstance(value, float)]
        self.line(stage, f"epoch {values.get('epoch')} of {values.get('epochs')}: {', '.join(numbers)}")


def show_plan(planned: plan.Plan) -> None:
    """The plan as a table, and what it adds up to."""
    table = _table("stage", "plan", "time", "why")
    for row in planned.rows.values():
        state = f"[{COLOURS[row.state]}]{row.state}[/]"
        time = words.clock(row.estimate) if row.runs else ""
        table.add_row(escape(row.stage), state, time, escape(words.shorten(row.why)))
    _console().print(table)
    print(summary(planned))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column == "time" else "left", overflow="fold")
    return table


def _console() -> Console:
    """In a file, a row stays a line."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)


def summary(planned: plan.Plan) -> str:
    counts = {state: sum(row.state == state for row in planned.rows.values()) for state in COLOURS}
    parts = [f"{count} {state}" for state, count in counts.items() if count]
    line = ", ".join(parts)
    if not any(row.runs for row in planned.rows.values()):
        return line
    estimate = planned.estimate()
    return f"{line}; " + (
        f"at most {words.clock(estimate)}" if estimate is not None else "time not known yet"
    )


def plan_json(planned: plan.Plan) -> str:
    rows = [
        {"stage": row.stage, "state": row.state, "why": list(row.why), "seconds": row.estimate}
        for row in planned.rows.values()
    ]
    return json.dumps({"stages": rows, "seconds": planned.estimate()}, indent=2)


def show_results(results: dict[str, Result], seconds: float) -> None:
    """The table at the end of a run of `seconds`, and where the output of what failed is."""
    table = _table("stage", "outcome", "time", "on", "why")
    for result in results.values():
        outcome = f"[{COLOURS[result.outcome]}]{result.outcome}[/]"
        idle = result.outcome in (UNCHANGED, BLOCKED) or not result.seconds
        took = "" if idle else words.clock(result.seconds)
        table.add_row(escape(result.stage), outcome, took, result.device, escape(result.why))
    _console().print(table)
    for result in results.values():
        if result.outcome in (FAILED, TIMEOUT) and result.device:
            print(visible(f"the output of {result.stage}: {places.log(Path(), result.stage)}"))
    bad = sum(not result.good for result in results.values())
    said = f"{len(results) - bad} of {len(results)} stages are up to date" + (
        f", {bad} are not" if bad else ""
    )
    print(f"{said}; {words.clock(seconds)}")
