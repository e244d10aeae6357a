"""For tests of how processes end: those that a test started are known by a mark in their environment."""

import contextlib
import os
import signal
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Marked:
    """Processes with `env` as environment, and all that they start, wherever they move in the tree."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self.env = {**os.environ, "WSSS_TEST_MARK": self.mark, "PYTHONPATH": str(ROOT)}

    def alive(self) -> dict[int, str]:
        """Their command lines by process; one that has ended and waits for its parent has none."""
        found = {}
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark in (place / "environ").read_text(errors="replace"):
                    found[int(place.name)] = (place / "cmdline").read_text().replace("\0", " ")
            except OSError:  # it ended meanwhile, or is another user's
                continue
        return found

    def left(self, seconds: float) -> dict[int, str]:
        """Those that still live after `seconds`, which end now; returns as soon as there are none."""
        deadline = time.monotonic() + seconds
        while (found := self.alive()) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return found


@pytest.fixture(scope="module")
def marked() -> Iterator[Marked]:
    if sys.platform != "linux":
        pytest.skip("reads /proc; elsewhere no signal tells of a parent's death")
    processes = Marked()
    yield processes
    processes.left(0)  # of a test that failed


def wait_for(condition: object, seconds: float = 60) -> None:
    """Wait until `condition()` is true."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture(name="wait_for")
def _wait_for() -> object:
    return wait_for
