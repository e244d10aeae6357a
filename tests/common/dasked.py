"""Work for the tests of Dask workers: without torch, so that a worker's process starts in no time."""

import functools
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.common.items import Item
from stages.common.pool import Files

HANGS, WAITS = "WSSS_TEST_HANGS", "WSSS_TEST_WAITS"  # in the environment of one worker
ALL, AHEAD = 40, 4  # pictures; at most so many that wait at a worker while it has one


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def work(*numbers: int) -> list[Item]:
    return [Item(f"p{n}", f"key{n}", n) for n in numbers]


def double(tasks: list[int]) -> list[Files]:
    """A negative number cannot be done; the process of a 0 is ended as the kernel does it."""
    if min(tasks) < 0:
        raise ValueError(f"a negative picture: {min(tasks)}")
    if 0 in tasks:
        os.kill(os.getpid(), signal.SIGKILL)
    return [{"*.txt": str(2 * n).encode(), "sub/*.bin": bytes([n])} for n in tasks]


def hanging(tasks: list[int]) -> list[Files]:
    """Never done by one worker."""
    if os.environ.get(HANGS):
        Path(f"hangs{tasks[0]}").touch()
        time.sleep(600)
    return double(tasks)


@functools.cache
def _network() -> bytes:
    return Path("network").read_bytes()


def remembering(tasks: list[int]) -> list[Files]:
    """As the steps' networks: read once in a process."""
    return [{"*.txt": _network()} for _ in tasks]


def some_hang(tasks: list[int]) -> list[Files]:
    """Those after 3 are never done."""
    if tasks[0] > 3:
        Path(f"hangs{tasks[0]}").touch()
        time.sleep(600)
    return double(tasks)


def waiting(tasks: list[int]) -> list[Files]:
    """One worker is done with its first when the others have done nearly all."""
    if os.environ.get(WAITS):
        Path("slow").mkdir(exist_ok=True)
        wait_until(lambda: len(list(Path().glob("done*"))) >= ALL - AHEAD)
        (Path("slow") / str(tasks[0])).touch()
    else:
        time.sleep(0.05)
        Path(f"done{tasks[0]}").touch()
    return double(tasks)


@dataclass(frozen=True)
class Inner:
    place: str
    folder: Path = Path("a")


@dataclass(frozen=True)
class Sizes:
    """Tells the place, how many came at once, and the working folder."""

    inner: Inner

    def __call__(self, tasks: list[Any]) -> list[Files]:
        return [{"*.txt": f"{self.inner.place} {len(tasks)} {Path.cwd()}".encode()} for _ in tasks]


class Sized:
    height = width = 8
