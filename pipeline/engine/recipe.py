"""Run many stages, each as soon as what it reads from is there, without Prefect."""

import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, TypeVar

from pipeline.engine import needs, terminal
from pipeline.engine.stage import Run
from pipeline.memory import plan
from pipeline.memory.graph import Graph
from pipeline.project import places
from pipeline.project.outcomes import BLOCKED, CANCELLED, FAILED, UNCHANGED, Result
from pipeline.results import ends, scores
from pipeline.results.scores import Scores
from stages.common.door import visible

Results = dict[str, Result]
T = TypeVar("T")
ONE_WISH = 0.5  # seconds in which two signals are one: a terminal and a wrapper both send theirs
DEAD_SOON = 2.0  # seconds after a second Ctrl-C until nobody is waited for any more


def main(root: Path, targets: list[str], start: list[str], force: list[str], jobs: int, dry: bool) -> int:
    """`wsss run`: returns its exit status, 0 only if every stage is up to date; 130 after Ctrl-C."""
    if dry:
        seen = plan.make(root, targets, force, start)
        terminal.show_plan(seen)
        say_needs(root, seen, print)
        return 0
    began = time.monotonic()
    with terminal.Terminal() as listener:
        engine = Run(root, f"wsss-run-{os.getpid()}", listener)
        with engine.open(), interrupts(engine.cancelled, engine.hurried):
            # Only now, for opening mends dvc.lock.
            planned = interruptible(engine, lambda: plan.make(root, targets, force, start))
            if planned is None:
                listener.line("", "cancelled while planning: nothing has run")
            else:
                engine.force = frozenset(planned.graph.known(force))
                listener.make_room(planned.rows)
                say_needs(root, planned, lambda text: listener.line("", text))
                results = run(engine, planned, planned.rows, jobs, listener.result)
    if planned is not None:
        terminal.show_results(results, time.monotonic() - began)
    if engine.stopped():
        if _still_reading():
            _leave(130)
        return 130
    _page(root)
    return 0 if all(result.good for result in results.values()) else 1


def say_needs(root: Path, planned: plan.Plan, say: Callable[[str], None]) -> None:
    for text in needs.of(root, [row.stage for row in planned.rows.values() if row.runs]):
        say(text)


def _page(root: Path) -> None:
    """Write the page of the results anew if anything changed, where the recipe has a ladder to show."""
    page = places.page(root)
    told = [root / "dvc.lock", root / "params.yaml", ends.path(root)]
    told += (root / "reports").glob("**/metrics.json")
    if page.is_file() and all(_time(file) < _time(page) for file in told):
        return
    try:
        found = scores.workspace(root)
        if not any((root / rung.folder / "metrics.json").is_file() for rung in found.rungs):
            return
        from pipeline.results.report import page as made  # only now: the drawing library takes its time

        print(_praise(found, made.write(root).relative_to(root)))
    except Exception as error:  # the results are there, whatever becomes of their page
        old = "; what lies there is of an earlier run" * page.is_file()
        print(visible(f"{page.relative_to(root)} is not written: {type(error).__name__}: {error}{old}"))


def _praise(found: Scores, page: Path) -> str:
    """What the page shows of the run that has ended."""
    left = [rung.name for rung in found.rungs if not rung.good]
    if not found.good:
        return f"{page} has no numbers: no rung is scored in this run"
    but = f"; {scores.NOT_SCORED}: {', '.join(left)}" * bool(left)
    return f"{page} shows it: open it in a browser{but}"


def _time(file: Path) -> float:
    return file.stat().st_mtime if file.exists() else 0.0


@contextmanager
def interrupts(cancelled: threading.Event, hurried: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM cancel in order: checkpoints are saved, the table is printed. Main thread only.

    A second one says `hurried`: whatever runs is killed.
    """
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    first: list[float] = []

    def cancel(*_: object) -> None:
        now = time.monotonic()
        if cancelled.is_set() and first and now - first[0] > ONE_WISH:
            hurried.set()
        first.append(now)
        cancelled.set()

    before = [signal.signal(number, cancel) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


THREAD = "a stage"  # the name of the threads below


def in_thread(work: Callable[[], T]) -> "Future[T]":
    """Start `work` in a thread that nothing waits for when the process ends, unlike those of a pool."""
    future: Future[T] = Future()

    def do() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=do, name=THREAD, daemon=True).start()
    return future


def interruptible(engine: Run, work: Callable[[], T]) -> T | None:
    """The result of `work`, which only reads; None as soon as the run is cancelled.

    What hashes gigabytes, or reads a file that never ends, hears of no signal.
    """
    future = in_thread(work)
    while not wait([future], 0.1).done:
        if engine.stopped():
            return None
    return future.result()


def _still_reading() -> bool:
    """Whether a thread was left alone. The interpreter would wait for what DVC has started there."""
    threads = [thread for thread in threading.enumerate() if thread.name == THREAD]
    for thread in threads:
        thread.join(1)  # it may be ending
    return any(thread.is_alive() for thread in threads)


def _leave(status: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def run(
    engine: Run,
    planned: plan.Plan,
    names: Iterable[str],
    jobs: int,
    tell: Callable[[Result], None] = lambda _: None,
) -> Results:
    """Bring the stages `names` up to date, `jobs` at a time; a failed branch does not stop the others.

    `tell` hears of each result at once. Results come back in the order of `names`.
    """
    waiting = list(names)
    chosen = frozenset(waiting)
    order = list(waiting)
    results: Results = {}
    running: dict[Future[Result], str] = {}
    said = ""
    late = float("inf")  # when nobody is waited for any more
    while waiting or running:
        for name in list(waiting):  # in the graph's order: what is unchanged frees those after it
            if not ready(planned.graph, name, chosen, results):
                continue
            early = without_a_process(planned, name, results, engine)
            if early is not None:
                results[name] = early
            elif len(running) < jobs:
                running[in_thread(functools.partial(engine.stage, name))] = name
            else:
                continue
            waiting.remove(name)
        done = wait(running, 0.5, FIRST_COMPLETED).done if running else set()
        if engine.stopped() and running:  # also of what has ended at once
            text = f"cancelling: what runs has {engine.grace:.0f} s to save its work"
            if engine.hurried.is_set():
                text, late = "ending what runs", min(late, time.monotonic() + DEAD_SOON)
            if text != said:
                engine.listener.line("", text)
            if not said:
                engine.listener.line("", "Ctrl-C again ends it at once")
            said = text
        for future in done:
            results[running.pop(future)] = future.result()
            tell(future.result())
        for future, name in list(running.items()):
            if engine.stopped() and (name in engine.reading or time.monotonic() > late):
                del running[future]  # it only looks, and hears no signal
                results[name] = Result(name, CANCELLED)
                tell(results[name])
    return referee(engine, {name: results[name] for name in order})


def ready(graph: Graph, name: str, chosen: frozenset[str], results: Results) -> bool:
    """Whether all that it reads from has ended, as far as this run was asked to bring it up to date."""
    return all(above in results for above in graph.stages[name].upstream if above in chosen)


def without_a_process(planned: plan.Plan, name: str, results: Results, engine: Run) -> Result | None:
    """The result of a stage that needs no look: unchanged, or in vain. None: it must be tried."""
    bad = [
        above for above in planned.graph.stages[name].upstream if above in results and not results[above].good
    ]
    if bad:
        return Result(name, BLOCKED, blocked_by(bad, results))
    if engine.stopped():
        return Result(name, CANCELLED)
    row = planned.rows.get(name)
    if row is not None and row.state in plan.AT_REST:
        return Result(name, UNCHANGED)
    return None


def blocked_by(above: list[str], results: Results) -> str:
    """Named by the failure itself, not by the blocked stage in between."""
    roots = []
    for name in above:
        result = results[name]
        roots.append(result.why if result.outcome == BLOCKED else f"{name} {result.outcome}")
    return "; ".join(dict.fromkeys(roots))


def referee(engine: Run, results: Results) -> Results:
    """Look once more: what is called good must be up to date now (dvc.yaml may have been edited).

    What came out is noted in the worktree: which stages are not up to date, and who made the numbers.
    """
    checked = _checked(engine, results)
    try:
        changed = set() if all(result.good for result in checked.values()) else _changed(engine.root)
        ends.note(engine.root, checked, changed)
        scores.note(engine.root, checked)
    except Exception as error:  # a full disk must not hide the outcome
        engine.listener.line("", f"not noted how the run ended: {type(error).__name__}: {error}")
    return checked


def _changed(root: Path) -> set[str]:
    return scores.workspace(root).standings.changed()


def _checked(engine: Run, results: Results) -> Results:
    """Each stage is judged by what it reads as it lies there, so that only those at fault are named."""
    good = [name for name, result in results.items() if result.good]
    if engine.stopped() or all(results[name].outcome == UNCHANGED for name in good):
        return results
    try:
        found = interruptible(engine, lambda: _as_they_lie(engine, results))
        if found is None:
            return results
        rows, fault = found, "it is gone from dvc.yaml"
    except ValueError as error:
        rows, fault = {}, str(error)
    checked = dict(results)
    for name in good:
        row = rows.get(name)
        if row is None or not row.done:
            why = f"not up to date after the run: {'; '.join(row.why) if row else fault}"
            checked[name] = replace(results[name], outcome=FAILED, why=why)
    return checked


def _as_they_lie(engine: Run, results: Results) -> dict[str, plan.Row]:
    with engine.dvc:
        return plan.each(engine.root, results)


def faults(results: Results) -> str:
    """What is not up to date and why, in one line; "" if all is well."""
    bad = [result for result in results.values() if not result.good]
    own = [f"{r.stage} {r.outcome}{f': {r.why}' if r.why else ''}" for r in bad if r.outcome != BLOCKED]
    blocked = [result.stage for result in bad if result.outcome == BLOCKED]
    return "; ".join(own + ([f"blocked: {', '.join(blocked)}"] if blocked else []))
