"""Run many stages, each as soon as what it reads from is there, without Prefect."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pipeline import ends, places, plan, scores, terminal
from pipeline.graph import Graph
from pipeline.outcomes import BLOCKED, CANCELLED, FAILED, UNCHANGED, Result
from pipeline.run import Run
from pipeline.scores import Scores

Results = dict[str, Result]


def main(root: Path, targets: list[str], start: list[str], force: list[str], jobs: int, dry: bool) -> int:
    """`wsss run`: returns its exit status, 0 only if every stage is up to date; 130 after Ctrl-C."""
    if dry:
        terminal.show_plan(plan.make(root, targets, force, start))
        return 0
    began = time.monotonic()
    with terminal.Terminal() as listener:
        engine = Run(root, f"wsss-run-{os.getpid()}", listener)
        with engine.open(), interrupts(engine.cancelled):
            planned = plan.make(root, targets, force, start)  # only now: opening mends dvc.lock
            engine.force = frozenset(planned.graph.known(force))
            listener.make_room(planned.rows)
            results = run(engine, planned, planned.rows, jobs, listener.result)
    terminal.show_results(results, time.monotonic() - began)
    _page(root)
    if engine.stopped():
        return 130
    return 0 if all(result.good for result in results.values()) else 1


def _page(root: Path) -> None:
    """Write the page of the results anew if anything changed, where the recipe has a ladder to show."""
    page = places.page(root)
    told = [root / "dvc.lock", root / "params.yaml", ends.path(root)]
    told += (root / "reports").glob("*/metrics.json")
    if page.is_file() and all(_time(file) < _time(page) for file in told):
        return
    try:
        found = scores.workspace(root)
        if not any((root / "reports" / rung.name / "metrics.json").is_file() for rung in found.rungs):
            return
        from pipeline.report import page as made  # only now: the drawing library takes its time

        print(_praise(found, made.write(root).relative_to(root)))
    except Exception as error:  # the results are there, whatever becomes of their page
        old = "; what lies there is of an earlier run" * page.is_file()
        print(f"{page.relative_to(root)} is not written: {type(error).__name__}: {error}{old}")


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
def interrupts(cancelled: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM cancel in order: checkpoints are saved, the table is printed. Main thread only."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, lambda *_: cancelled.set()) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


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
    said = False
    with ThreadPoolExecutor(jobs) as pool:
        while waiting or running:
            for name in list(waiting):  # in the graph's order: what is unchanged frees those after it
                if not ready(planned.graph, name, chosen, results):
                    continue
                early = without_a_process(planned, name, results, engine)
                if early is not None:
                    results[name] = early
                elif len(running) < jobs:
                    running[pool.submit(engine.stage, name)] = name
                else:
                    continue
                waiting.remove(name)
            done = wait(running, 0.5, FIRST_COMPLETED).done if running else set()
            if engine.stopped() and running and not said:  # also of what has ended at once
                said = True
                engine.listener.line("", f"cancelling: what runs has {engine.grace:.0f} s to save its work")
            for future in done:
                results[running.pop(future)] = future.result()
                tell(future.result())
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
        ends.note(engine.root, checked)
        scores.note(engine.root, engine.name, checked)
    except Exception as error:  # a full disk must not hide the outcome
        engine.listener.line("", f"not noted how the run ended: {type(error).__name__}: {error}")
    return checked


def _checked(engine: Run, results: Results) -> Results:
    """Each stage is judged by what it reads as it lies there, so that only those at fault are named."""
    good = [name for name, result in results.items() if result.good]
    if engine.stopped() or all(results[name].outcome == UNCHANGED for name in good):
        return results
    try:
        with engine.dvc:
            rows, fault = plan.each(engine.root, results), "it is gone from dvc.yaml"
    except ValueError as error:
        rows, fault = {}, str(error)
    checked = dict(results)
    for name in good:
        row = rows.get(name)
        if row is None or not row.done:
            why = f"not up to date after the run: {'; '.join(row.why) if row else fault}"
            checked[name] = replace(results[name], outcome=FAILED, why=why)
    return checked


def faults(results: Results) -> str:
    """What is not up to date and why, in one line; "" if all is well."""
    bad = [result for result in results.values() if not result.good]
    own = [f"{r.stage} {r.outcome}{f': {r.why}' if r.why else ''}" for r in bad if r.outcome != BLOCKED]
    blocked = [result.stage for result in bad if result.outcome == BLOCKED]
    return "; ".join(own + ([f"blocked: {', '.join(blocked)}"] if blocked else []))
