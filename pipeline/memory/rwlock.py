"""DVC's record of who reads and writes which paths, .dvc/tmp/rwlock, read and mended.

A dvc that is killed leaves its entries. DVC drops them when they are in its way, unless its process's
number belongs to another process by then; a file that was cut short stops every dvc.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.memory.graph import open_repo
from pipeline.project import locks, places

AT_WORK, DEAD, ANOTHER = "at work", "dead", "another program"


class DamagedError(ValueError):
    """The file is no JSON, or not what DVC writes."""


@dataclass(frozen=True)
class Entry:
    """One process that reads or writes paths of this worktree."""

    pid: int
    cmd: str  # its arguments
    paths: tuple[str, ...]
    state: str

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.cmd})"


def entries(root: Path) -> list[Entry]:
    """Who is in the file, by process. Raises DamagedError."""
    with _open(root) as path:
        return _by_process(_read(path)) if path else []


def clear(root: Path) -> list[str]:
    """Take out entries of dead processes, and a file that nobody can read; returns what was done."""
    with _open(root) as path:
        return _clear(path, root) if path else []


def _clear(path: Path, root: Path) -> list[str]:
    try:
        values = _read(path)
    except DamagedError:
        if locks.is_held(places.worktree_lock(root)):
            return []
        path.unlink()
        return [f"{path}: it was damaged"]
    dead = [entry for entry in _by_process(values) if entry.state == DEAD]
    if dead:
        path.write_text(json.dumps(_without(values, {(entry.pid, entry.cmd) for entry in dead})))
    return [f"{entry} in {path}: it is gone" for entry in dead]


@contextmanager
def _open(root: Path) -> Iterator[Path | None]:
    """The file, while no dvc changes it; None if there is none."""
    from dvc.lock import make_lock

    with open_repo(root) as repo:
        folder = Path(repo.tmp_dir)
        path = folder / "rwlock"
        if not path.is_file():
            yield None
            return
        with make_lock(str(folder / "rwlock.lock"), tmp_dir=str(folder), hardlink_lock=hard(repo)):
            yield path if path.is_file() else None


def hard(repo: Any) -> bool:
    """Whether DVC locks by hard links, for old network disks."""
    return bool(repo.config["core"].get("hardlink_lock"))


def _read(path: Path) -> dict[str, Any]:
    from dvc.rwlock import SCHEMA
    from voluptuous import Invalid

    try:
        values: dict[str, Any] = SCHEMA(json.loads(path.read_text(errors="replace")))
    except (json.JSONDecodeError, Invalid) as error:
        raise DamagedError(f"{path} is damaged ({error})") from None
    return values


def _by_process(values: dict[str, Any]) -> list[Entry]:
    paths: dict[tuple[int, str], list[str]] = {}
    for mode in ("write", "read"):
        for path, infos in values[mode].items():
            for info in infos if isinstance(infos, list) else [infos]:
                paths.setdefault((info["pid"], info["cmd"]), []).append(path)
    return [Entry(pid, cmd, tuple(found), _state(pid, cmd)) for (pid, cmd), found in paths.items()]


def _without(values: dict[str, Any], gone: set[tuple[int, str]]) -> dict[str, Any]:
    write = {path: one for path, one in values["write"].items() if (one["pid"], one["cmd"]) not in gone}
    read = {
        path: [one for one in many if (one["pid"], one["cmd"]) not in gone]
        for path, many in values["read"].items()
    }
    return {"write": write, "read": {path: many for path, many in read.items() if many}}


def _state(pid: int, cmd: str) -> str:
    """DVC asks only whether the number is in use; a container uses the same few again and again."""
    import psutil

    try:
        words = " ".join(psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:  # or a zombie, which nobody has collected
        return DEAD
    except psutil.AccessDenied:
        return AT_WORK
    return AT_WORK if cmd.partition(" ")[2] in words else ANOTHER
