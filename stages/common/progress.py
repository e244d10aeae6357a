"""Progress of all stages, on standard error: a bar for people, or lines for a program.

With WSSS_PROGRESS=lines a line is a mark and one JSON object:

    @progress {"what": "seeds", "done": 12, "total": 600}
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


def track(things: Iterable[T], total: int, what: str) -> Generator[T, None, None]:
    """Yield `things`, of which there are `total`, and show how many are done; quiet when there are none."""
    if not total:
        yield from things
    elif _lines():
        yield from _told(things, total, what)
    else:
        from rich.console import Console
        from rich.progress import track as rich_track

        yield from rich_track(things, what, total, console=Console(stderr=True))


def epoch(step: str, number: int, epochs: int, means: Mapping[str, float]) -> None:
    """Tell the end of epoch `number`, 1 .. `epochs`, with the mean of each loss. A bar shows no epochs."""
    if _lines():
        _write("epoch", {"step": step, "epoch": number, "epochs": epochs, **means})


def _told(things: Iterable[T], total: int, what: str) -> Iterator[T]:
    done, last = 0, time.monotonic()
    _write("progress", {"what": what, "done": 0, "total": total})
    for done, thing in enumerate(things, 1):
        yield thing
        if done < total and time.monotonic() - last >= SECONDS:
            last = time.monotonic()
            _write("progress", {"what": what, "done": done, "total": total})
    _write("progress", {"what": what, "done": done, "total": total})


def _lines() -> bool:
    return os.environ.get("WSSS_PROGRESS") == "lines"


def _write(mark: str, values: dict[str, Any]) -> None:
    print(f"@{mark} {json.dumps(values)}", file=sys.stderr, flush=True)
