"""Progress of all stages, on standard error: a bar for people, or lines for a program.

With WSSS_PROGRESS=lines a line is a mark and one JSON object:

    @progress {"what": "pictures", "done": 12, "total": 600}
    @epoch {"step": "classifier", "epoch": 3, "epochs": 18, "loss": 0.31}
"""

import json
import os
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
SECONDS = 1.0  # between two @progress lines of one loop, at least; the first and the last come in any case


def track(
    things: Iterable[T], total: int, step: str, unit: str = "pictures", start: int = 0
) -> Generator[T, None, None]:
    """Yield `things` and show how many `unit` of `total` are done; quiet when nothing is left to do.

    `start` were done before, by a run that was killed: the count goes on from there.
    """
    if start >= total:
        yield from things
    elif _lines():
        yield from _told(things, total, unit, start)
    else:
        yield from _drawn(things, total, step, unit, start)


def epoch(step: str, number: int, epochs: int, means: Mapping[str, float]) -> None:
    """Tell the end of epoch `number`, 1 .. `epochs`, with the mean of each loss. A bar shows no epochs."""
    if _lines():
        _write("epoch", {"step": step, "epoch": number, "epochs": epochs, **means})


def _told(things: Iterable[T], total: int, what: str, start: int) -> Iterator[T]:
    done, last = start, time.monotonic()
    _write("progress", {"what": what, "done": start, "total": total})
    for done, thing in enumerate(things, start + 1):
        yield thing
        if done < total and time.monotonic() - last >= SECONDS:
            last = time.monotonic()
            _write("progress", {"what": what, "done": done, "total": total})
    _write("progress", {"what": what, "done": done, "total": total})


def _drawn(things: Iterable[T], total: int, step: str, unit: str, start: int) -> Iterator[T]:
    """A bar with count, rate and time left, which are of this run alone."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(),
        TextColumn("{task.completed} of {task.total} {task.fields[unit]}"),
        TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
    )  # fmt: skip
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(step, total=total, completed=start, unit=unit, rate="")
        for done, thing in enumerate(things, 1):
            yield thing
            bar.update(task, advance=1, rate=rate(done, time.monotonic() - began))


def rate(done: int, seconds: float) -> str:
    """So many in a second; slow ones as seconds for each."""
    if not done or seconds <= 0:
        return ""
    return f"{done / seconds:.1f}/s" if done >= seconds else f"{seconds / done:.1f} s each"


def _lines() -> bool:
    return os.environ.get("WSSS_PROGRESS") == "lines"


def _write(mark: str, values: dict[str, Any]) -> None:
    print(f"@{mark} {json.dumps(values)}", file=sys.stderr, flush=True)
