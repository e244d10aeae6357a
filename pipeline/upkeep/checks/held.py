"""Locks and who holds them; what killed runs have left: worktrees, unfinished files."""

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.engine import leftovers, worktrees
from pipeline.memory import rwlock
from pipeline.memory.graph import open_repo
from pipeline.project import git, gpus, locks, places
from pipeline.sweep.definition import sweep_of
from pipeline.upkeep.checks import OK, PROBLEM, WARNING, Line

CLEAR_LOCKS, CLEAR_WORKTREES = "`wsss doctor --clear-locks`", "`wsss doctor --clear-worktrees`"
STARTING = 60.0  # seconds from a worktree's making until its run has locked it, at most


def roots(root: Path) -> dict[str, Path]:
    """The checkout and the worktrees of runs, by name."""
    runs = {f".worktrees/{name}": worktrees.folder(root, name) for name in worktrees.names(root)}
    found = {"this checkout": git.main_root(root), **runs}
    return {name: place for name, place in found.items() if (place / ".dvc").is_dir()}


def held(root: Path) -> Iterator[Line]:
    """Every lock that is held now, and by whom."""
    lines = []
    for name, place in roots(root).items():
        lines += _of_lock(places.worktree_lock(place), f"{name}")
        lines += _of_dvc(place, name)
        lines += _left_running(place, name)
    free = []
    for path in _input_locks(root):
        lines += _of_lock(path, f"{path.stem.rpartition('-')[0]} with its inputs")
        free += [path] if not locks.is_held(path) else []
    for path in _gpu_locks():
        lines += _of_lock(path, f"GPU {path.stem.removeprefix('gpu-')}")
    if not lines:
        more = f"; {len(free)} old lock files ({CLEAR_LOCKS} removes them)" if free else ""
        lines = [Line(OK, "locks", f"none is held{more}")]
    yield from lines


def _of_lock(path: Path, what: str) -> list[Line]:
    """One of ours. Its holder may be gone while something that it started still has it."""
    import psutil

    if not locks.is_held(path):
        return []
    holder = locks.holder(path)
    if holder and holder.host == socket.gethostname() and not psutil.pid_exists(holder.pid):
        pids = openers(path)
        text = f"{what}: held by what {holder} has left running: pid {', '.join(map(str, pids)) or '?'}"
        return [
            Line(WARNING, "locks", text, f"kill {' '.join(map(str, pids))}" if pids else "find and end it")
        ]
    return [Line(OK, "locks", f"{what}: held by {holder or 'another process'}")]


def openers(path: Path) -> list[int]:
    """The processes that have a file open, where /proc tells."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(os.readlink(link) == str(path) for link in (process / "fd").iterdir()):
                found.append(int(process.name))
    return sorted(found)


def _of_dvc(place: Path, name: str) -> list[Line]:
    """DVC's own lock of the repository, and its list of readers and writers."""
    with open_repo(place) as repo:
        folder = Path(repo.tmp_dir)
        by_existence = rwlock.hard(repo)
    lines = []
    if not by_existence and locks.is_held(folder / "lock"):
        pid = (folder / "lock").read_text().strip()
        lines.append(Line(OK, "locks", f"{name}: a dvc command works there now (pid {pid})"))
    try:
        entries = rwlock.entries(place)
    except rwlock.DamagedError as error:
        return [*lines, Line(PROBLEM, "locks", f"{error}: it stops every dvc", CLEAR_LOCKS)]
    for entry in entries:
        if entry.state == rwlock.AT_WORK:
            lines.append(Line(OK, "locks", f"{name}: {entry} has {len(entry.paths)} paths"))
        elif entry.state == rwlock.DEAD:
            text = f"{name}: {entry} is gone and still has {len(entry.paths)} paths in DVC's list"
            lines.append(Line(WARNING, "locks", text, CLEAR_LOCKS))
        else:
            text = f"{name}: {entry} has {len(entry.paths)} paths, but that number is another program now"
            do = f"if no dvc works there, remove {folder / 'rwlock'}"
            lines.append(Line(WARNING, "locks", text, do))
    return lines


def _left_running(place: Path, name: str) -> list[Line]:
    """Stages whose run and supervisor were killed: they hold no lock."""
    if locks.is_held(places.worktree_lock(place)):
        return []
    found = leftovers.find(leftovers.WORKTREE, str(place.resolve()))
    do = "the next `wsss run` there ends it, or kill it"
    texts = [f"{name}: left running by a killed run: pid {pid} ({command})" for pid, command in found.items()]
    return [Line(WARNING, "locks", text, do) for text in texts]


def _input_locks(root: Path) -> list[Path]:
    with open_repo(root) as repo:
        return sorted((Path(repo.cache.local_cache_dir) / "locks").glob("*.lock"))


def _gpu_locks() -> list[Path]:
    return [
        path for name in gpus.devices() for path in sorted(gpus.place(name, 0).parent.glob(f"gpu-{name}-*"))
    ]


def clear_locks(root: Path) -> list[str]:
    """Entries of dead processes in DVC's list, and lock files that nobody holds; returns what was done."""
    done = [line for place in roots(root).values() for line in rwlock.clear(place)]
    removed = 0
    for path in [*_input_locks(root), *_gpu_locks()]:
        with contextlib.suppress(locks.HeldError, PermissionError), locks.take(path, "wsss-doctor", "lock"):
            path.unlink(missing_ok=True)
            removed += 1
    return done + ([f"lock files that nobody holds: {removed}"] if removed else [])


def leftover(root: Path) -> Iterator[Line]:
    """Worktrees that go with their run, which nobody works in, and the sweeps that they belong to."""
    lines, kept, used = [], [], []
    for name in worktrees.names(root):
        if _in_use(worktrees.folder(root, name)):
            used.append(name)
        elif not _is_temporary(root, name):
            kept.append(name)
        else:
            sweep = sweep_of(git.main_root(root), name)
            text = f".worktrees/{name} is left over{f' by sweep {sweep}' if sweep else ''}"
            do = f"`wsss sweep --resume {sweep}` goes on with it, or {CLEAR_WORKTREES}"
            lines.append(Line(WARNING, "worktrees", text, do if sweep else CLEAR_WORKTREES))
    parts = [f"{', '.join(used)}: in use"] * bool(used) + [f"{', '.join(kept)}: kept by name"] * bool(kept)
    yield from lines or [Line(OK, "worktrees", "; ".join(parts) or "none left over")]


def _is_temporary(root: Path, name: str) -> bool:
    """Whether it was made for one run; others, say of nightly runs, stay for the next."""
    mark = places.temporary(worktrees.folder(root, name))
    return mark.exists() or bool(sweep_of(git.main_root(root), name))


def _in_use(place: Path) -> bool:
    """Held, or made a moment ago by a run that has not locked it yet."""
    marks = [path for path in (place, place / ".dvc" / "config.local") if path.exists()]
    newest = max((path.stat().st_mtime for path in marks), default=0.0)
    return time.time() - newest < STARTING or locks.is_held(places.worktree_lock(place))


def clear_worktrees(root: Path) -> list[str]:
    """Remove the worktrees that were made for one run and that nobody holds; their branches stay."""
    done = []
    for name in worktrees.names(root):
        place = worktrees.folder(root, name)
        if _in_use(place) or not _is_temporary(root, name):
            continue
        with (
            contextlib.suppress(locks.HeldError),
            locks.take(places.worktree_lock(place), "wsss-doctor", f"worktree {name}"),
        ):
            worktrees.remove(root, name)
            done.append(f"worktree .worktrees/{name}")
    return done


def partial(root: Path) -> Iterator[Line]:
    """What killed stages have left half-written."""
    if locks.is_held(places.worktree_lock(root)):
        yield Line(OK, "unfinished", "not looked for while a run works here")
        return
    found = sorted(_partials(root))
    if found:
        shown = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        text = f"{len(found)} left by killed stages: {shown}"
        yield Line(WARNING, "unfinished", text, f"rm -r {' '.join(found[:3])}{' ...' * (len(found) > 3)}")
    else:
        yield Line(OK, "unfinished", "no *.partial")


def _partials(root: Path) -> Iterator[str]:
    """Beside outputs, reports and the project's files; .scratch looks after its own."""
    yield from (path.name for path in root.glob("*.partial"))
    for folder in ("data", "reports"):
        for place, below, names in os.walk(root / folder):
            found = [name for name in [*below, *names] if name.endswith(".partial")]
            yield from (os.path.relpath(os.path.join(place, name), root) for name in found)
            below[:] = [name for name in below if name not in found]
