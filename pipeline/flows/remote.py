"""Stages on other machines: what a worker is told, does, and what the coordinator does with it.

The coordinator decides what runs, and is the only writer of its dvc.lock. A worker has a clone of its
own. It is told a commit, the coordinator's dvc.lock and params.yaml, fetches the inputs of its one
stage, runs it, and leaves output and run-cache entry in the shared cache or on the DVC remote. There the
coordinator finds the result by the key of its inputs, and restores it like one of its own.
"""

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.engine import worktrees
from pipeline.engine.stage import Run
from pipeline.memory import objects, plan
from pipeline.memory.graph import Graph, Stage, of_repo, open_repo, read
from pipeline.project import git, places
from pipeline.project.outcomes import Listener, Result
from pipeline.project.root import write_whole

NAMES = ("refs/heads", "refs/tags", "refs/remotes")  # no stash, no DVC experiment
TRAVELS = ("params.yaml", "dvc.lock")  # as text; everything else must be in the commit


@dataclass(frozen=True)
class Work:
    """One stage for a worker."""

    stage: str
    commit: str
    params: str  # the text of params.yaml
    lock: str  # the text of dvc.lock
    run: str  # the name of the coordinator's run
    force: bool = False


def pool(stage: Stage) -> str:
    """The work pool that a stage belongs to; "" for what only the coordinator runs."""
    return "gpu" if stage.meta.gpu else stage.meta.pool


def describe(root: Path, stage: str, run: str, force: bool = False) -> Work:
    """What a worker needs to run `stage`. ValueError if the code here is not what the commit holds."""
    deps = read(root).stages[stage].deps
    code = [path for path in _changed(root) if path not in TRAVELS and _matters(path, deps)]
    if code:
        raise ValueError(f"a worker only gets what is committed: commit {', '.join(code[:5])} first")
    lock = root / "dvc.lock"
    return Work(
        stage=stage,
        commit=git.resolve(root, "HEAD"),
        params=(root / "params.yaml").read_text(),
        lock=lock.read_text() if lock.is_file() else "",
        run=run,
        force=force,
    )


def _changed(root: Path) -> list[str]:
    """What in the project's folder is not as the commit has it, or not in git, relative to the folder."""
    edited = git.run(root, "diff", "--name-only", "--relative", "-z", "HEAD", "--", ".")
    new = git.run(root, "ls-files", "--others", "--exclude-standard", "-z", "--", ".")
    return [path for path in f"{edited}\0{new}".split("\0") if path]


def _matters(path: str, deps: Iterable[str]) -> bool:
    """Whether a worker would do something else without a file: a note beside the project's is nobody's."""
    ours = path == "dvc.yaml" or path.startswith((".dvc/", "pipeline/", "stages/"))
    return ours or any(path == dep or path.startswith(f"{dep}/") for dep in deps)


def do(root: Path, work: Work, listener: Listener, cancelled: threading.Event | None = None) -> Result:
    """Run one stage in a worktree of this clone, and send its result on. The worktree is removed."""
    name = f"worker-{work.stage.replace('@', '-')}"
    _know(root, work.commit)
    place = worktrees.create(root, name, work.commit)
    places.temporary(place).parent.mkdir(parents=True, exist_ok=True)
    places.temporary(place).touch()
    forced = frozenset([work.stage] if work.force else [])
    engine = Run(place, f"{work.run}, {work.stage} on a worker", listener, forced, called=work.run)
    engine.cancelled = cancelled or engine.cancelled
    try:
        with engine.open():
            write_whole(place / "params.yaml", work.params)
            if work.lock:
                write_whole(place / "dvc.lock", work.lock)
            fetched = bring_inputs(place, work.stage)
            listener.line(work.stage, f"inputs: {', '.join(fetched) or 'none'}")
            result = engine.stage(work.stage)
            if result.good:
                send(place, work.stage)
    finally:
        worktrees.remove(root, name)
    return result


def _know(root: Path, commit: str) -> None:
    """Have the commit, from this clone's own remotes if need be.

    Whoever may give the worker orders names it, and its code is run. So it must be in a branch or tag that
    somebody has put here: not a name, and no object that only lies about, as of a branch that was taken back.
    """
    if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
        raise ValueError(f"{commit[:80]!r} is no commit's full hash: a worker takes nothing else")
    offline = ""
    try:  # always: a branch may have been taken back
        git.run(root, "fetch", "--quiet", "--all", "--prune")
    except ValueError as error:  # then what this clone knows must do
        offline = f" ({error})"
    if not _is_named(root, commit):
        text = f"commit {commit} is in no branch or tag of this clone or its remotes: push it{offline}"
        raise ValueError(text)


def _is_named(root: Path, commit: str) -> bool:
    """Whether a branch or tag, or what is checked out, holds the commit."""
    try:
        if git.run(root, "for-each-ref", "--count=1", "--contains", commit, *NAMES):
            return True
        git.run(root, "merge-base", "--is-ancestor", commit, "HEAD")
    except ValueError:
        return False
    return True


def bring_inputs(root: Path, stage: str) -> list[str]:
    """Fetch and check out those inputs of a stage that other stages made; returns their paths."""
    with open_repo(root) as repo:
        graph = of_repo(repo)
        paths = made_inputs(graph, stage)
        targets = [str(root / path) for path in paths]  # DVC reads them relative to the current folder
        if paths and _has_remote(repo):
            repo.fetch(targets=targets)
        objects.check_lists(repo, paths)
        if paths:
            repo.checkout(targets=targets, force=True)
    return paths


def made_inputs(graph: Graph, stage: str) -> list[str]:
    """The outputs of others that a stage reads, a part of, or in a folder.

    They travel whole: a part of one can only be fetched where the list of the whole is.
    """
    outs = [out for other in graph.stages.values() for out in other.outs]
    return [
        out
        for out in outs
        if any(
            dep == out or dep.startswith(f"{out}/") or out.startswith(f"{dep}/")
            for dep in graph.stages[stage].deps
        )
    ]


def offer_inputs(root: Path, stage: str) -> None:
    """Push what a stage reads from others, if there is a remote: a worker has nothing but that."""
    with open_repo(root) as repo:
        paths = made_inputs(of_repo(repo), stage)
        if paths and _has_remote(repo):
            repo.push(targets=[str(root / path) for path in paths])


def send(root: Path, stage: str) -> None:
    """Push a stage's output and the run cache, if there is a remote; a shared cache has them already."""
    with open_repo(root) as repo:
        if _has_remote(repo):
            repo.push(targets=[f"{root / 'dvc.yaml'}:{stage}"], run_cache=True)


def bring(root: Path, stage: str) -> None:
    """Have a stage's result, which a worker made, in this cache. ValueError if it is nowhere.

    Only the run cache's rows and this result's objects are fetched; nothing in the workspace changes.
    """
    with open_repo(root) as repo:
        if _has_remote(repo):
            repo.stage_cache.pull(None)
        entry = plan.cached_result(repo, stage)
        if entry is None:
            raise ValueError(
                f"a worker ran {stage}, but its result is neither in the cache nor on the remote"
            )
        if not entry.outs_cached() and _has_remote(repo):
            for wanted in entry.get_used_objs().values():
                repo.cloud.pull(wanted)


def _has_remote(repo: Any) -> bool:
    return bool(repo.config["core"].get("remote"))
