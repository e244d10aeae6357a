"""The project itself: git, params.yaml, dvc.lock, the cache and the remote."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipeline.memory import graph, lockfile, plan
from pipeline.project import git
from pipeline.upkeep.checks import OK, PROBLEM, WARNING, Line

UNSAFE = ("hardlink", "symlink")


def git_works(root: Path) -> Iterator[Line]:
    """Runs beside the checkout, prune and the remote workers all need it."""
    version = git.run(root, "--version").removeprefix("git version ")
    try:
        commit = git.run(root, "rev-parse", "--short", "HEAD")
    except ValueError:
        yield Line(WARNING, "git", "no commit yet: nothing to come back to", "git add -A && git commit")
        return
    yield Line(OK, "git", f"{version}, at {commit}")


def parameters(root: Path, look: Callable[[Path], plan.Plan] = plan.make) -> Iterator[Line]:
    """What the stage `parameters` would refuse."""
    problem = plan.parameter_problem(root, look(root).graph)
    if problem is None:
        yield Line(OK, "params", "params.yaml is valid")
    else:
        yield Line(PROBLEM, "params", "; ".join(problem.splitlines()), "correct it; `wsss check` looks again")


def lock(root: Path) -> Iterator[Line]:
    """The memory of all runs."""
    found = damage(root)
    if found:
        yield Line(PROBLEM, "dvc.lock", found, "`wsss run` repairs it from its copy")
    else:
        yield Line(OK, "dvc.lock", "sound" if (root / "dvc.lock").is_file() else "none yet: nothing ever ran")


def damage(root: Path) -> str:
    """What a run would mend in dvc.lock, in words; empty if it is sound."""
    path, lost = root / "dvc.lock", ""
    for _ in range(3):  # DVC rewrites it in place: a look in between sees half of it
        if not path.is_file():
            return ""
        text, copy, committed = path.read_text(errors="replace"), _copy(root), _committed(root)
        if text == copy or text.strip() == committed:  # git's words come without the last line's end
            return ""
        if "<<<<<<< " in text:
            return "has the marks of a merge"
        old = lockfile.last(copy, committed and f"{committed}\n")
        mended, names = lockfile.mend(text, old, _known(root, old))
        if mended == text:
            return ""
        lost = f"damaged: {', '.join(names) or 'nothing'} can come back from the last copy"
        time.sleep(0.1)
    return lost


def _copy(root: Path) -> str | None:
    path = lockfile.backup_path(root)
    return path.read_text(errors="replace") if path.is_file() else None


def _committed(root: Path) -> str | None:
    try:
        return git.run(root, "show", "HEAD:./dvc.lock")
    except ValueError:
        return None


def _known(root: Path, text: str) -> dict[str, int]:
    """The entries of a sound dvc.lock that dvc.yaml still has, with the number of its outputs."""
    return lockfile.number_of_outputs(root, lockfile.entries(text))


def cache(root: Path) -> Iterator[Line]:
    """Where results lie, and how they get from there to the workspace."""
    with graph.open_repo(root) as repo:
        folder = Path(repo.cache.local_cache_dir)
        types = list(repo.config["cache"].get("type") or ["reflink", "copy"])
        works = _links(repo) if folder.is_dir() and os.access(folder, os.W_OK) else []
    unsafe = [name for name in types if name in UNSAFE]
    if folder.is_dir() and not os.access(folder, os.W_OK):
        yield Line(PROBLEM, "cache", f"{folder} cannot be written", "get the right to, or set another")
    elif not folder.is_dir():
        yield Line(OK, "cache", f"{folder}: the first run makes it")
    else:
        used = next((name for name in types if name in works), "copy")
        space = "outputs take no space twice" if used != "copy" else "an output takes its space twice"
        yield Line(OK, "cache", f"{folder}; could be linked by {', '.join(works)}; is by {used}: {space}")
    if unsafe:
        text = f"cache.type has {' and '.join(unsafe)}: an edit in place would spoil the cache"
        yield Line(PROBLEM, "cache", text, "dvc config cache.type reflink,copy, then dvc checkout --relink")


def _links(repo: Any) -> list[str]:
    """The kinds of link that work between the cache and the workspace, tried with a file as DVC does."""
    from dvc.fs import generic

    odb = repo.cache.local
    kinds = ["reflink", "hardlink", "symlink", "copy"]
    beside = os.path.join(repo.root_dir, "a file there")
    return [str(kind) for kind in generic.test_links(kinds, odb.fs, odb.path, repo.fs, beside)]


def remote(root: Path) -> Iterator[Line]:
    with graph.open_repo(root) as repo:
        name = repo.config["core"].get("remote")
        others = list(repo.config["remote"])
    if name:
        yield Line(OK, "remote", f"{name}: results are shared by `dvc push --run-cache`")
    elif others:
        text = f"{', '.join(others)}, none of them the default: not used"
        yield Line(WARNING, "remote", text, f"dvc remote default {others[0]}")
    else:
        yield Line(OK, "remote", "none: results stay on this machine")


def telemetry(root: Path) -> Iterator[Line]:
    """DVC's. It does not know DO_NOT_TRACK."""
    with graph.open_repo(root) as repo:
        on = repo.config["core"].get("analytics", True)
    if on and not os.environ.get("DVC_NO_ANALYTICS"):
        yield Line(WARNING, "telemetry", "DVC reports its use", "dvc config core.analytics false")
    else:
        yield Line(OK, "telemetry", "DVC reports nothing")
