"""What outlives its supervisor: found by a mark in its environment, which whatever a stage starts inherits.

A supervisor (supervisor.py) that is killed itself ends nothing any more. Real stages then end by
themselves (stages/common/processes.py), other commands need not. Linux only; elsewhere nothing is found.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

WORKTREE, CHILD = "WSSS_WORKTREE", "WSSS_CHILD"  # set in the environment of every supervisor


def marks(root: Path, child: str) -> dict[str, str]:
    return {WORKTREE: str(root.resolve()), CHILD: child}


def find(name: str, value: str) -> dict[int, str]:
    """Command lines of the processes with that mark by their ids; not this process, nor those it runs in."""
    mark, found = f"{name}={value}".encode(), {}
    pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()] if sys.platform == "linux" else []
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended, or belongs to another user
            if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return {pid: command for pid, command in found.items() if pid not in _above()}


def end(name: str, value: str, grace: float) -> dict[int, str]:
    """SIGTERM to all with that mark, after `grace` seconds SIGKILL; returns them once they are gone."""
    ended: dict[int, str] = {}
    deadline = time.monotonic() + grace
    while found := find(name, value):
        late = time.monotonic() > deadline
        for pid in found:
            if late or pid not in ended:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        ended |= found
        time.sleep(0.05)
    return ended


def _above() -> list[int]:
    """This process, its parent, and so on."""
    from pipeline.engine.supervisor import stat

    line = [os.getpid()]
    while line[-1] > 1 and (found := stat(line[-1])):
        line.append(found[1])
    return line
