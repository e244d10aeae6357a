"""Locks that the kernel frees: flock on a file that also says who holds it.

A lock lives as long as any copy of its handle. A stage's supervisor inherits the handles of its run,
so what a killed run has left running still holds its worktree, its inputs' key and its GPU.
"""

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
PRUNE = "wsss-prune-"  # begins the name in which `wsss prune` holds locks


@dataclass(frozen=True)
class Holder:
    """Who holds a lock."""

    name: str  # of the run
    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid} on {self.host}, since {self.since})"


class HeldError(ValueError):
    """Somebody else holds the lock."""

    def __init__(self, what: str, holder: Holder | None) -> None:
        super().__init__(f"{what} is held by {holder or 'another process'}")
        self.holder = holder


class Lock:
    """A lock that is held; released when closed, and when all processes that inherited it are gone."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path, self.handle = path, handle

    def release(self) -> None:
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def take(path: Path, name: str, what: str) -> Lock:
    """Take the lock at once, in the name of a run. Raises HeldError, which names the holder."""
    handle = _open(path)
    if not _lock(handle):
        os.close(handle)
        raise HeldError(what, holder(path))
    if not _lies_at(path, handle):  # `wsss doctor --clear-locks` has removed the file meanwhile
        os.close(handle)
        return take(path, name, what)
    mine = Holder(name, os.getpid(), socket.gethostname(), time.strftime("%Y-%m-%d %H:%M:%S"))
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(asdict(mine)).encode(), 0)
    except OSError as error:  # a full disk
        os.close(handle)
        raise OSError(error.errno, error.strerror, str(path)) from None
    return Lock(path, handle)


def wait(
    attempt: Callable[[], T], stop: Callable[[], bool], say: Callable[[str], None]
) -> tuple[T | None, bool]:
    """Call `attempt` until it raises no HeldError; says once who is waited for.

    Returns its result (None if `stop()` came true first), and whether it had to wait.
    """
    waited = False
    while not stop():
        try:
            return attempt(), waited
        except HeldError as error:
            if not waited:
                say(f"waiting: {error}")
        waited = True
        time.sleep(0.2)
    return None, waited


def _open(path: Path) -> int:
    """Open or make the file, for every user of the machine: the folder of GPU locks is shared."""
    with contextlib.suppress(FileNotFoundError):
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    with contextlib.suppress(OSError):
        os.fchmod(handle, 0o666)
    return handle


def _lock(handle: int) -> bool:
    """Lock it; looks again a few times, as `is_held` has it for an instant."""
    for pause in (0.01, 0.02, 0.03, 0.0):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(pause)
    return False


def _lies_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False


def is_held(path: Path) -> bool:
    """Whether a process holds the lock now."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)  # two that ask do not see each other
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(handle)


def holder(path: Path) -> Holder | None:
    """Who wrote its name into the lock last; None if that cannot be read."""
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def is_passing(holder: Holder | None) -> bool:
    """Whether the holder frees the lock soon and harms nobody who waits: `wsss prune`."""
    return holder is not None and holder.name.startswith(PRUNE) and not is_dead(holder)


def is_dead(holder: Holder | None) -> bool:
    """Whether a lock's holder was a process of this machine that has ended."""
    if holder is None or holder.host != socket.gethostname():
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False
