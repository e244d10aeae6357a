"""Runs beside the user's checkout: each in a git worktree of its own, over the one cache.

A run with other parameters, another revision, or by the clock never dirties what the user works on. Its
worktree .worktrees/NAME shares the main one's cache, its links to pictures and its scratch folder, so
that nothing is computed twice. What such a run has found is kept as the branch wsss/run/NAME: params.yaml,
dvc.lock and the small reports.
"""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.project import git
from pipeline.project.root import write_whole

KEPT = ("params.yaml", "dvc.lock", "reports")  # what a finished run leaves in git
TO = " to "  # in the message of its commit: before the stages that it was asked for
NEEDED = ("dvc.yaml", "params.yaml", ".dvc")  # what a revision must have to be run


def folder(root: Path, name: str) -> Path:
    """The project in the worktree NAME: deeper in it if the project is a folder of its git repository."""
    return _top(root, name) / git.run(root, "rev-parse", "--show-prefix").strip("/")


def _top(root: Path, name: str) -> Path:
    return git.main_root(root) / ".worktrees" / name


def create(root: Path, name: str, revision: str = "HEAD") -> Path:
    """A worktree at `revision`, ready to run; an old one of that name is brought to it.

    Returns the project's folder in it. Raises ValueError for a bad name, and for a revision that git does
    not know or that has no project.
    """
    check_name(name)
    commit = git.resolve(root, revision)
    place, top = folder(root, name), _top(root, name)
    for path in NEEDED:
        if not _has(root, commit, path):
            raise ValueError(f"revision {revision} has no {path}: commit it first")
    git.run(root, "worktree", "prune")
    if (top / ".git").is_file():
        git.run(top, "checkout", "-q", "--detach", "--force", commit)
    else:
        git.run(root, "worktree", "add", "-q", "--detach", "--force", str(top), commit)
    _share(git.main_root(root), place)
    return place


def check_name(name: str) -> None:
    """ValueError for what git would not take as a part of a branch, or a file system as a folder."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", name) or re.search(r"\.\.|\.lock$|\.$", name):
        raise ValueError(f"{name!r} is no name of a run: letters, digits and . _ - only, 61 of them at most")


def _has(root: Path, commit: str, path: str) -> bool:
    return bool(git.run(root, "ls-tree", "--name-only", commit, "--", path))


def _share(main: Path, place: Path) -> None:
    """The main worktree's cache and remotes, its scratch folder, and its links to pictures."""
    from configobj import ConfigObj

    local = main / ".dvc" / "config.local"
    config = ConfigObj(str(local) if local.is_file() else None, list_values=False)
    config.setdefault("cache", {})["dir"] = str(_cache(main))
    config.filename = str(place / ".dvc" / "config.local")
    config.write()
    (main / ".scratch").mkdir(exist_ok=True)
    _link(place / ".scratch", main / ".scratch")
    raw = main / "data" / "raw"
    outs = _outs(place)
    for entry in raw.iterdir() if raw.is_dir() else ():
        if entry.name.endswith(".partial"):  # of a stage that works there, or was killed
            continue
        if entry.is_symlink() or f"data/raw/{entry.name}" not in outs:
            _link(place / "data" / "raw" / entry.name, entry.resolve())


def _cache(main: Path) -> Path:
    from pipeline.memory.graph import open_repo

    with open_repo(main) as repo:
        return Path(repo.cache.local_cache_dir)


def _outs(place: Path) -> set[str]:
    from pipeline.memory.graph import read

    return {out for stage in read(place).stages.values() for out in stage.outs}


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        link.unlink()
    if not link.exists():
        link.symlink_to(target)


def override(place: Path, values: Mapping[str, Any], preset: str | None = None) -> list[str]:
    """Change params.yaml of a worktree: a preset first, then values by dotted key; returns what changed.

    Raises ValueError for an unknown key; the values themselves are checked with all others.
    """
    from pipeline.project import presets

    changes = presets.apply(place, preset) if preset else []
    if values:
        changes += presets.set_values(place, values)
    return [f"{key}: {old} -> {new}" for key, old, new in changes]


def keep(place: Path, name: str, message: str, targets: Sequence[str] = ()) -> str:
    """Commit the run's parameters, lock and reports to the branch wsss/run/NAME, and return its name.

    The message tells the stages that were asked for, if not all.
    """
    present = [path for path in KEPT if (place / path).exists()]
    git.run(place, "add", "--", *present)
    to = TO + ", ".join(targets) if targets else ""
    git.run(place, "commit", "-q", "--allow-empty", "-m", message + to)
    branch = git.BRANCH + name
    git.run(place, "branch", "--force", branch, "HEAD")
    return branch


def kept_to(root: Path, branch: str) -> tuple[str, ...]:
    """The stages that the run behind a branch of `keep` was asked for; none means all."""
    _, _, to = git.run(root, "log", "-n1", "--format=%s", branch).strip().partition(TO)
    return tuple(to.split(", ")) if to else ()


def remove(root: Path, name: str) -> None:
    """Remove the worktree, or what is left of one; its branch stays. Another run may have been quicker."""
    top = _top(root, name)
    try:
        git.run(root, "worktree", "remove", "--force", "--force", str(top))
    except ValueError:  # git does not know it, or half of it is missing
        if top.exists():
            shutil.rmtree(top)
        git.run(root, "worktree", "prune")


def names(root: Path) -> list[str]:
    """The worktrees of runs that lie there, left over or at work."""
    place = git.main_root(root) / ".worktrees"
    return sorted(entry.name for entry in place.iterdir() if entry.is_dir()) if place.is_dir() else []


def write_lock(place: Path, text: str) -> None:
    """Put another worktree's or host's dvc.lock in place."""
    write_whole(place / "dvc.lock", text)
