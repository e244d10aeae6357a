"""One task run per stage: what Prefect shows of a run, and nothing that it decides.

All tasks are submitted at once, so that the graph is seen whole from the start. Each ends in a state with
the name of its outcome. Prefect's retries and result cache are off: the engine tries again by `meta`, and a
training then goes on from its checkpoint, and what DVC restores needs no second memory.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

from prefect import Task, get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Cancelled, Completed, Failed

from pipeline.engine import recipe
from pipeline.engine.stage import Run
from pipeline.engine.terminal import Pace
from pipeline.flows import publish
from pipeline.memory import plan
from pipeline.project.outcomes import BLOCKED, CANCELLED, FAILED, RAN, RESTORED, TIMEOUT, UNCHANGED, Result

LINES = 2000  # of one stage that the server keeps; the stage's log file keeps all
QUIET = 30.0  # seconds between two lines about the progress of one stage
STATES: dict[str, Any] = {  # blocked is neither green nor a failure of its own
    UNCHANGED: Completed, RESTORED: Completed, RAN: Completed,
    FAILED: Failed, TIMEOUT: Failed, CANCELLED: Cancelled, BLOCKED: Cancelled,
}  # fmt: skip


class After(PrefectFuture[None]):
    """An edge of the graph: waits for the task above, whatever comes out of it, and then for `turn`.

    Prefect's own edge refuses to start below a failure, and leaves the task NotReady for ever. What waits
    here is shown as Pending, and as Running only from then on.
    """

    def __init__(self, above: PrefectFuture[Any], turn: Callable[[], None]) -> None:
        self._above, self._turn = above, turn

    @property
    def task_run_id(self) -> UUID:
        return self._above.task_run_id

    @property
    def state(self) -> State[Any]:
        return Completed(data=True)

    def wait(self, timeout: float | None = None) -> None:
        self._above.wait(timeout)
        self._turn()

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> None:
        self.wait(timeout)

    def add_done_callback(self, fn: Callable[[PrefectFuture[None]], None]) -> None:
        self._above.add_done_callback(lambda _: fn(self))


class Tasks:
    """The task runs of one flow run, and the results of their stages."""

    def __init__(self, engine: Run, planned: plan.Plan, jobs: int) -> None:
        self.engine, self.planned = engine, planned
        self.results: recipe.Results = {}
        self.early: dict[str, Result | None] = {}  # of stages whose turn it is; None: to be tried
        self.places = threading.Semaphore(jobs)
        self.placed: set[str] = set()

    def run(self) -> recipe.Results:
        """Results in the graph's order."""
        futures: dict[str, PrefectFuture[Any]] = {}
        for name in self.planned.rows:
            above = self.planned.graph.stages[name].upstream
            edges = [After(futures[a], partial(self._turn, name, a)) for a in above if a in futures]
            futures[name] = self._task(name).submit(wait_for=edges, return_state=False)
            futures[name].add_done_callback(partial(self._leave, name))
        for future in futures.values():
            future.wait()
        return {name: self.results.get(name, Result(name, CANCELLED)) for name in futures}

    def _task(self, name: str) -> Task[[], State[Any]]:
        def stage() -> State[Any]:
            return self._do(name)

        return Task(stage, name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)

    def _turn(self, name: str, above: str | None = None) -> None:
        """Wait for a place, once all above has ended; what needs no look or process takes none."""
        if above:  # has ended; without a result if Prefect did not let it begin
            self.results.setdefault(above, Result(above, CANCELLED))
        chosen = frozenset(self.planned.rows)
        if name in self.early or not recipe.ready(self.planned.graph, name, chosen, self.results):
            return
        early = recipe.without_a_process(self.planned, name, self.results, self.engine)
        while early is None and name not in self.placed:
            if self.engine.stopped():
                early = Result(name, CANCELLED)
            elif self.places.acquire(timeout=0.5):
                self.placed.add(name)
        self.early[name] = early

    def _leave(self, name: str, _: PrefectFuture[Any]) -> None:
        if name in self.placed:
            self.places.release()

    def _do(self, name: str) -> State[Any]:
        result = Result(name, FAILED, "its task was ended")
        try:
            self._turn(name)  # of a stage that nothing is above of
            result = self.early[name] or self.engine.stage(name)
        except Exception as error:
            get_run_logger().exception("stage %s", name)
            result = Result(name, FAILED, f"{type(error).__name__}: {error}")
        finally:
            self.results[name] = result
        return state(result)


def state(result: Result) -> State[Any]:
    """The state that Prefect shows for an outcome."""
    made: State[Any] = STATES[result.outcome](name=result.outcome.capitalize(), message=result.why or None)
    return made


class Live:
    """A listener: lines go to the log of the stage's task run, progress to a bar in the UI."""

    def __init__(self) -> None:
        self.log = get_run_logger()
        self.bars = publish.Bars()
        self.lines: dict[str, int] = {}
        self.said: dict[str, float] = {}
        self.paces: dict[str, Pace] = {}

    def close(self) -> None:
        self.bars.close()

    def line(self, stage: str, text: str) -> None:
        count = self.lines[stage] = self.lines.get(stage, 0) + 1
        if stage and count > LINES:
            if count > LINES + 1:
                return
            text = f"more than {LINES} lines: the rest is in the stage's log file"
        with suppress(SystemExit):  # of the console, when the worker that reads it was killed
            (get_run_logger() if stage else self.log).info("%s", text)

    def progress(self, stage: str, what: str, done: int, total: int) -> None:
        pace = self.paces.setdefault(stage, Pace()).tell(what, done, total)
        self.bars.progress(stage, pace, done, total)
        now = time.monotonic()
        if now - self.said.setdefault(stage, now) > QUIET:
            self.said[stage] = now
            self.line(stage, pace)

    def epoch(self, stage: str, values: dict[str, Any]) -> None:
        numbers = [f"{name} {value:.4g}" for name, value in values.items() if isinstance(value, float)]
        text = f"epoch {values.get('epoch')} of {values.get('epochs')}: {', '.join(numbers)}"
        self.bars.epoch(stage, text)
        self.line(stage, text)
