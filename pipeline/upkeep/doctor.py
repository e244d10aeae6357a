"""`wsss doctor`: what is wrong with this environment and this project, and what to do about it.

Each check is guarded: in a broken environment the doctor is what must not break.
"""

import functools
import json
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from pipeline.project import locks
from pipeline.upkeep.checks import OK, PROBLEM, WARNING, Line

Check = Callable[[Path], Iterable[Line]]
QUIET = 15.0  # seconds of silence
WAIT = 1.0  # seconds for a dvc that is at work
COLOURS = {OK: "green", WARNING: "bold yellow", PROBLEM: "bold red"}


def main(root: Path, as_json: bool, clear_locks: bool, clear_worktrees: bool) -> int:
    """Print a line per finding; returns 1 if one is a problem, else 0."""
    lines = clear(root, clear_locks, clear_worktrees) + examine(root)
    if as_json:
        print(json.dumps({"checks": [asdict(line) for line in lines]}, indent=2))
    else:
        show(lines)
    return int(any(line.mark == PROBLEM for line in lines))


def examine(root: Path) -> list[Line]:
    """All checks, in order. Those that wait for a child of their own do so beside the others."""
    from pipeline.memory import plan
    from pipeline.upkeep.checks import held, logs, machine, project, server, versions, workers

    look = functools.cache(plan.make)  # one for the checks that ask for it
    parameters, disk = (functools.partial(check, look=look) for check in (project.parameters, machine.disk))
    beside: dict[str, Check] = {"gpu": machine.gpu, "prefect": server.prefect, "dask": workers.dask}
    checks: dict[str, Check] = {
        "versions": versions.versions, "python": versions.interpreter, "git": project.git_works,
        "params": _unless_busy("params", parameters), "dvc.lock": project.lock,
        "cache": project.cache, "remote": project.remote, "disk": _unless_busy("disk", disk),
        "cpu": machine.cpu, **beside, "logs": logs.logs,
        "telemetry": project.telemetry, "locks": held.held, "worktrees": held.leftover,
        "unfinished": held.partial,
    }  # fmt: skip
    with ThreadPoolExecutor(len(beside)) as pool:
        waiting = {name: pool.submit(guarded, name, check, root) for name, check in beside.items()}
        found = {name: guarded(name, check, root) for name, check in checks.items() if name not in beside}
        found |= {name: _waited(name, future) for name, future in waiting.items()}
    return [line for name in checks for line in found[name]]


def _waited(name: str, future: Future[list[Line]]) -> list[Line]:
    """What a check found; whoever waits for it is told so."""
    began = time.monotonic()
    while True:
        try:
            return future.result(QUIET)
        except TimeoutError:
            waited = time.monotonic() - began
            if sys.stderr.isatty():  # a program wants the findings alone
                print(f"waiting for the check `{name}`: {waited:.0f} s so far", file=sys.stderr, flush=True)


def guarded(name: str, check: Check, root: Path) -> list[Line]:
    """A check that fails is a finding."""
    lines: list[Line] = []
    try:
        lines.extend(check(root))
    except ValueError as error:  # written for users
        lines.append(Line(PROBLEM, name, " ".join(str(error).split())))
    except Exception as error:
        text = f"the check failed, {type(error).__name__}: {' '.join(str(error).split())}"
        lines.append(Line(PROBLEM, name, text, "mend what it names, then ask again"))
    return lines


def _unless_busy(name: str, check: Check) -> Check:
    """A look at the graph waits for DVC's lock, which a `dvc push` may hold for hours."""

    def look(root: Path) -> Iterable[Line]:
        until = time.monotonic() + WAIT
        while locks.is_held(root / ".dvc" / "tmp" / "lock"):
            if time.monotonic() > until:
                return [Line(OK, name, "not looked at: a dvc command holds the repository")]
            time.sleep(0.1)
        return check(root)

    return look


def clear(root: Path, clear_locks: bool, clear_worktrees: bool) -> list[Line]:
    """Remove what nobody holds; a line per thing removed."""
    from pipeline.upkeep.checks import held

    asked = [held.clear_locks] * clear_locks + [held.clear_worktrees] * clear_worktrees
    return [line for do in asked for line in guarded("cleared", _done(do), root)]


def _done(do: Callable[[Path], list[str]]) -> Check:
    return lambda root: [Line(OK, "cleared", text) for text in do(root) or ["nothing"]]


def show(lines: list[Line]) -> None:
    """A mark, what, and what to do."""
    from rich.console import Console

    from pipeline.project.words import escape

    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        do = f" -> {line.do}" if line.do else ""
        colour = COLOURS[line.mark]
        console.print(f"[{colour}]{line.mark:<8}[/] {line.check:<11} {escape(line.text + do)}")
    counts = {mark: sum(line.mark == mark for line in lines) for mark in (PROBLEM, WARNING)}
    said = [f"{count} {mark}{'s' * (count > 1)}" for mark, count in counts.items() if count]
    print(", ".join(said) or "all is well")
