"""Where a run keeps what is neither data nor result. One worktree, one host: see locks.py."""

import shutil
from pathlib import Path


def state(root: Path) -> Path:
    """This worktree's own folder, which DVC keeps out of git."""
    return root / ".dvc" / "tmp" / "wsss"


def worktree_lock(root: Path) -> Path:
    return state(root) / "lock"


def temporary(root: Path) -> Path:
    """Lies in a worktree that goes with its run."""
    return state(root) / "temporary"


def worktrees_lock(main: Path) -> Path:
    """Held by who makes or removes worktrees of this clone."""
    return state(main) / "worktrees.lock"


def sweep_locks(main: Path) -> list[Path]:
    """Of the sweeps of this clone, those that ended included."""
    return sorted((state(main) / "sweeps").glob("*.lock"))


def log(root: Path, stage: str) -> Path:
    """The last output of a stage."""
    return state(root) / "logs" / f"{stage.replace('@', '-')}.log"


def page(root: Path) -> Path:
    """What people open to see a run's results."""
    return root / "reports" / "index.html"


def input_lock(cache: Path, stage: str, key: str) -> Path:
    """Beside the cache, so that all worktrees and hosts that share it see it."""
    return cache / "locks" / f"{stage.replace('@', '-')}-{key[:32]}.lock"


def free(place: Path) -> float:
    """Bytes that can still be written where `place` is, or will be."""
    there = next((folder for folder in (place, *place.parents) if folder.exists()), Path("/"))
    return float(shutil.disk_usage(there).free)
