"""One function for many pictures: in processes, or here where they are few."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from stages.common import pool

FEW = 64  # pictures: processes take longer to start


@contextmanager
def mapped(function: Callable[[Any], Any], count: int) -> Iterator[pool.Map]:
    """As pool.mapped, for `count` things."""
    if count <= FEW:
        yield lambda things: map(function, things)
        return
    with pool.mapped(function, pool.worker_count()) as in_processes:
        yield in_processes
