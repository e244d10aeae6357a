"""One progress bar for all stages."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def track(things: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield `things` behind a bar on standard error; quiet when there is nothing to do."""
    if not total:
        yield from things
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(things, what, total, console=Console(stderr=True))
