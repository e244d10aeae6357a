"""Progress of all stages, on standard error: a bar for people, or lines for a program.

With WSSS_PROGRESS=lines a line is a mark and one JSON object:

    @progress {"what": "seeds", "unit": "pictures", "done": 12, "total": 600}
    @epoch {"step": "classifier", "epoch": 3, "epochs": 18, "loss": 0.31}
"""

import json
import os
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
SECONDS = 1.0  # between two @progress lines of one loop, at least; the first and the last come in any case


def track(
    things: Iterable[T],
    total: int,
    what: str,
    unit: str = "pictures",
    first: int = 0,
    size: Callable[[T], int] = lambda _: 1,
) -> Generator[T, None, None]:
    """Yield `things` and show how many units are done of `total`; quiet when nothing is left.

    `first` units were done before, by a run that was stopped: the count goes on from there, and rate and
    time left are of this run. `size` says how many units one of `things` is.
    """
    if first >= total:
        yield from things
    elif _lines():
        yield from _told(things, total, what, unit, first, size)
    else:
        yield from _shown(things, total, what, unit, first, size)


def _shown(
    things: Iterable[T], total: int, what: str, unit: str, first: int, size: Callable[[T], int]
) -> Generator[T, None, None]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total} " + unit),
        TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task, done, began = (
            bars.add_task(what, total=total, completed=first, rate=""),
            first,
            time.monotonic(),
        )
        for thing in things:
            yield thing
            done += size(thing)
            bars.update(task, completed=done, rate=rate(done - first, time.monotonic() - began))


def rate(count: float, seconds: float) -> str:
    """12/s, 1.5/s or 20/min; empty while nothing is known."""
    if count <= 0 or seconds <= 0:
        return ""
    speed = count / seconds
    return f"{60 * speed:.2g}/min" if speed < 0.5 else f"{speed:.1f}/s" if speed < 10 else f"{speed:.0f}/s"


def epoch(step: str, number: int, epochs: int, means: Mapping[str, float]) -> None:
    """Tell the end of epoch `number`, 1 .. `epochs`, with the mean of each loss. A bar shows no epochs."""
    if _lines():
        _write("epoch", {"step": step, "epoch": number, "epochs": epochs, **means})


def _told(
    things: Iterable[T], total: int, what: str, unit: str, first: int, size: Callable[[T], int]
) -> Iterator[T]:
    done, last = first, time.monotonic()

    def tell() -> None:
        _write("progress", {"what": what, "unit": unit, "done": done, "total": total})

    tell()
    for thing in things:
        yield thing
        done += size(thing)
        if done < total and time.monotonic() - last >= SECONDS:
            last = time.monotonic()
            tell()
    tell()


def _lines() -> bool:
    return os.environ.get("WSSS_PROGRESS") == "lines"


def _write(mark: str, values: dict[str, Any]) -> None:
    print(f"@{mark} {json.dumps(values)}", file=sys.stderr, flush=True)
