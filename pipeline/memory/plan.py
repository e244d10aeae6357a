"""What a run would do, and why, before it does it: one pass over the graph, nothing is started.

Hashes go down the graph as they would in a run. A stage whose inputs are all known is unchanged,
restorable (its result is in the cache) or will run; one below a stage that will run has inputs that
nobody knows yet, and may run: if what comes out above has equal bytes, the change ends there. So
what ran is never less than "will run" and never more than "will run" and "may run".
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.memory import lockfile, objects
from pipeline.memory.graph import Graph, Stage, of_repo, open_repo
from pipeline.memory.runcache import as_stage, by_git, lock_entry
from pipeline.memory.view import (
    ALWAYS as ALWAYS,
)
from pipeline.memory.view import (
    AT_REST as AT_REST,
)
from pipeline.memory.view import (
    BLOCKED as BLOCKED,
)
from pipeline.memory.view import (
    FROZEN as FROZEN,
)
from pipeline.memory.view import (
    MAY_RUN as MAY_RUN,
)
from pipeline.memory.view import (
    NEVER as NEVER,
)
from pipeline.memory.view import (
    NOW as NOW,
)
from pipeline.memory.view import (
    RESTORABLE as RESTORABLE,
)
from pipeline.memory.view import (
    UNCHANGED as UNCHANGED,
)
from pipeline.memory.view import (
    WILL_RUN as WILL_RUN,
)
from pipeline.memory.view import (
    Row as Row,
)
from pipeline.memory.view import (
    View,
)
from pipeline.project import ledger
from stages.common.inputs import stamped


@dataclass(frozen=True)
class Plan:
    graph: Graph
    rows: dict[str, Row]

    def estimate(self) -> float | None:
        """Seconds of all that will or may run, one after another; None if one never ran before."""
        times = [row.estimate for row in self.rows.values() if row.runs]
        return None if None in times else float(sum(time for time in times if time is not None))


def make(
    root: Path, targets: Sequence[str] = (), force: Iterable[str] = (), start: Sequence[str] = ()
) -> Plan:
    """The plan for `targets` and what they need (all stages by default), or from `start` on down.

    Raises ValueError for a name that is not there, and for one that is forced but not among them.
    """
    with open_repo(root) as repo:
        graph = of_repo(repo)
        names = graph.chosen(targets, start)
        forced = graph.known(force)
        if left_out := [name for name in forced if name not in names]:
            raise ValueError(f"{', '.join(left_out)} cannot be forced: not among the stages of this run")
        problem = parameter_problem(root, graph)
        if problem and "parameters" not in names:  # which would have refused them
            raise ValueError(problem)
        view = View(repo, ledger.typical_seconds(root))
        for name in names:
            view.look(graph.stages[name], name in forced, problem)
        return Plan(graph, view.rows)


def each(root: Path, names: Iterable[str]) -> dict[str, Row]:
    """Judge stages one by one, those of them that dvc.yaml has: what they read is taken as it lies there."""
    with open_repo(root) as repo:
        stages, view = of_repo(repo).stages, View(repo, {}, ahead=False)
        return {name: view.look(stages[name], False, None) for name in names if name in stages}


@dataclass(frozen=True)
class Reads:
    """Where a stage's inputs lie, by absolute path."""

    paths: tuple[Path, ...]
    params: dict[Path, tuple[str, ...]]  # the keys that it reads of each file of parameters
    outs: tuple[Path, ...]  # its own, which may lie in a folder that it reads


@dataclass(frozen=True)
class One:
    """One stage as it is now, and the folder of the cache."""

    stage: Stage
    row: Row
    cache: Path
    inputs: dict[str, Any]  # what dvc.lock would say of them now
    reads: Reads
    by_git: bool  # git keeps an output of it that is no metric: DVC leaves it out of the run cache
    at_stake: tuple[objects.Copy, ...] = ()  # what DVC would trust of its results
    there: tuple[str, ...] = ()  # its outputs that lie there as its last run left them
    entry: dict[str, Any] | None = None  # to put into dvc.lock, or DVC does not see what it can restore
    looked: float = field(default_factory=time.monotonic)


def one(root: Path, name: str) -> One:
    """Judge one stage; what it reads from is taken as it lies there. ValueError if it is gone."""
    with open_repo(root) as repo:
        graph = of_repo(repo)
        if name not in graph.stages:
            raise ValueError(f"stage {name} is gone from dvc.yaml")
        view = View(repo, {})
        row = view.look(graph.stages[name], False, None)
        node = view.nodes[name]
        found = One(
            graph.stages[name], row, Path(repo.cache.local_cache_dir), lockfile.inputs(lock_entry(node)),
            _reads(node), by_git(node), entry=view.unseen.get(name),
        )  # fmt: skip
        if row.state == BLOCKED:
            return found
        return replace(found, at_stake=tuple(_at_stake(view, node, row)), there=tuple(_there(view, node)))


def _at_stake(view: "View", node: Any, row: Row) -> list[objects.Copy]:
    """Of the result that a run would restore, and of all others: those of equal inputs, and the last one."""
    others = [as_stage(node, entry) for entry in view.cache.entries(row.key)] if row.key else []
    others += [view.cache.last(node)] if any(out.hash_info for out in node.outs) else []
    restored = view.restored.get(node.name) if row.state == RESTORABLE else None
    return objects.at_stake(view.repo, restored, others)


def _there(view: "View", node: Any) -> Iterator[str]:
    for out in node.outs:
        found = view.files.now(out) if out.hash_info else None
        if found is not None and found.hash == out.hash_info:
            yield out.def_path


def _reads(node: Any) -> Reads:
    """The files of code that a stamp names are read as well."""
    from dvc.dependency import ParamsDependency

    ours = [dep for dep in node.deps if dep.protocol == "local"]
    files = [dep for dep in ours if not isinstance(dep, ParamsDependency)]
    params = {Path(dep.fs_path): tuple(dep.params) for dep in ours if isinstance(dep, ParamsDependency)}
    root = Path(node.repo.root_dir)
    code = stamped((Path(os.path.relpath(dep.fs_path, root)).as_posix() for dep in files), root)
    return Reads((*_places(files), *(root / path for path in code)), params, _places(node.outs))


def _places(items: Iterable[Any]) -> tuple[Path, ...]:
    return tuple(Path(item.fs_path) for item in items)


def cached_result(repo: Any, name: str) -> Any:
    """The run cache's result for a stage's inputs now, as a stage of DVC's: the newest that the cache has
    whole, or else the newest; None if none."""
    view = View(repo, {})
    row = view.look(of_repo(repo).stages[name], False, None)
    if not row.key:
        return None
    node, cache = view.nodes[name], view.cache
    entry = cache.newest(node, row.key) or next(cache.entries(row.key), None)
    return as_stage(node, entry) if entry else None


def parameter_problem(root: Path, graph: Graph) -> str | None:
    """What the stage `parameters` would refuse; None if all is well, or if the graph has no such stage."""
    if "parameters" not in graph.stages or "stages.parameters" not in graph.stages["parameters"].cmd:
        return None
    from pipeline.project import schema  # only now: pydantic takes its time

    return schema.problem(root)
