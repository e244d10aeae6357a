"""What a run would do, and why, before it does it: one pass over the graph, nothing is started.

Hashes go down the graph as they would in a run. A stage whose inputs are all known is unchanged,
restorable (its result is in the cache) or will run; one below a stage that will run has inputs that
nobody knows yet, and may run: if what comes out above has equal bytes, the change ends there. So
what ran is never less than "will run" and never more than "will run" and "may run".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import ledger
from pipeline.graph import Graph, Stage, of_repo, open_repo
from pipeline.presets import leaves

UNCHANGED, RESTORABLE, WILL_RUN, MAY_RUN, BLOCKED, FROZEN = (
    "unchanged", "restorable", "will run", "may run", "blocked", "frozen",
)  # fmt: skip
NEVER = "never ran here"
AT_REST = (UNCHANGED, FROZEN)


@dataclass(frozen=True)
class Row:
    """What a run would do with one stage."""

    stage: str
    state: str
    why: tuple[str, ...] = ()
    estimate: float | None = None  # seconds, from past runs
    key: str | None = None  # of all inputs, where they are known

    @property
    def runs(self) -> bool:
        return self.state in (WILL_RUN, MAY_RUN)


@dataclass(frozen=True)
class Plan:
    graph: Graph
    rows: dict[str, Row]

    def estimate(self) -> float | None:
        """Seconds of all that will or may run, one after another; None if one never ran before."""
        times = [row.estimate for row in self.rows.values() if row.runs]
        return None if None in times else float(sum(time for time in times if time is not None))


def make(root: Path, targets: Sequence[str] = (), force: Iterable[str] = ()) -> Plan:
    """The plan for `targets` and what they need (all stages by default)."""
    with open_repo(root) as repo:
        graph = of_repo(repo)
        names = graph.up(targets) if targets else list(graph.stages)
        forced = set(graph.known(force))
        view = _View(repo, ledger.typical_seconds(root))
        problem = parameter_problem(root, graph)
        for name in names:
            view.look(graph.stages[name], name in forced, problem)
        return Plan(graph, view.rows)


@dataclass(frozen=True)
class One:
    """One stage as it is now, and the folder of the cache."""

    stage: Stage
    row: Row
    cache: Path


def one(root: Path, name: str) -> One:
    """Judge one stage; what it reads from is taken as it lies there."""
    with open_repo(root) as repo:
        graph = of_repo(repo)
        if name not in graph.stages:
            raise ValueError(f"stage {name} is gone from dvc.yaml")
        row = _View(repo, {}).look(graph.stages[name], False, None)
        return One(graph.stages[name], row, Path(repo.cache.local_cache_dir))


def cached_result(repo: Any, name: str) -> Any:
    """The run cache's newest result for a stage's inputs now, as a stage of DVC's; None if none."""
    row = _View(repo, {}).look(of_repo(repo).stages[name], False, None)
    return _View(repo, {})._entry(row.key) if row.key else None


def parameter_problem(root: Path, graph: Graph) -> str | None:
    """What the stage `parameters` would refuse; None if all is well, or if the graph has no such stage."""
    if "parameters" not in graph.stages or "stages.parameters" not in graph.stages["parameters"].cmd:
        return None
    from stages.common.params import ParameterError, check, read_yaml
    from stages.parameters.params import Parameters

    try:
        check(Parameters, read_yaml(root / "params.yaml"), "params.yaml")
    except ParameterError as error:
        return str(error)
    return None


@dataclass
class _View:
    """The workspace and the cache, as far as the plan has looked; every path is hashed once."""

    repo: Any
    seconds: dict[str, float]
    rows: dict[str, Row] = field(default_factory=dict)
    predicted: dict[str, Any] = field(default_factory=dict)  # absolute path of an out -> hash, or None
    hashes: dict[str, Any] = field(default_factory=dict)

    def look(self, stage: Stage, forced: bool, problem: str | None) -> Row:
        node = next(node for node in self.repo.index.stages if node.cmd and node.name == stage.name)
        state, why, key, outs = self._judge(stage, node, forced, problem)
        if stage.meta.constant and all(out.hash_info for out in node.outs):
            outs = {out.fs_path: out.hash_info for out in node.outs}
        for out in node.outs:
            self.predicted[out.fs_path] = outs.get(out.fs_path)
        estimate = self.seconds.get(stage.name) if state in (WILL_RUN, MAY_RUN) else None
        self.rows[stage.name] = Row(stage.name, state, tuple(why), estimate, key)
        return self.rows[stage.name]

    def _judge(
        self, stage: Stage, node: Any, forced: bool, problem: str | None
    ) -> tuple[str, list[str], str | None, dict[str, Any]]:
        """State, reasons, key of the inputs, and the outputs' hashes as far as they are known."""
        blockers = [name for name in stage.upstream if name in self.rows and self.rows[name].state == BLOCKED]
        if stage.frozen:
            return self._frozen(stage, node)
        if blockers:
            return BLOCKED, [f"needs {', '.join(blockers)}"], None, {}
        if stage.name == "parameters" and problem:
            return BLOCKED, problem.splitlines(), None, {}
        changes, unknown, missing = self._inputs(node)
        if missing:
            return BLOCKED, [_missing(path) for path in missing], None, {}
        if node.cmd_changed:
            changes.insert(0, "the command changed")
        if forced:
            return WILL_RUN, ["forced", *changes], None, {}
        if unknown:
            sure = changes and not self._could_be_cached(stage, node, unknown)
            below = [] if changes == [NEVER] else [f"below {', '.join(unknown)}"]
            return (WILL_RUN if sure else MAY_RUN), changes + below, None, {}
        return self._settled(stage, node, changes)

    def _settled(
        self, stage: Stage, node: Any, changes: list[str]
    ) -> tuple[str, list[str], str | None, dict[str, Any]]:
        locked = {out.fs_path: out.hash_info for out in node.outs}
        wrong = [] if changes else self._outputs(node)
        if not changes and not wrong:
            return UNCHANGED, [], None, locked
        key = self._key(node)
        if node.always_changed:
            return WILL_RUN, ["always runs"], key, {}
        entry = self._entry(key) if changes else None
        if not changes and self._in_cache(node):
            return RESTORABLE, wrong, key, locked
        if entry is not None and entry.outs_cached():
            return RESTORABLE, changes, key, {out.fs_path: out.hash_info for out in entry.outs}
        return WILL_RUN, changes or wrong, key, {}

    def _frozen(self, stage: Stage, node: Any) -> tuple[str, list[str], str | None, dict[str, Any]]:
        missing = [out.def_path for out in node.outs if not out.exists]
        if not missing:
            return FROZEN, [], None, {out.fs_path: self.hash(out) for out in node.outs}
        if self._in_cache(node):
            outs = {out.fs_path: out.hash_info for out in node.outs}
            return RESTORABLE, [f"frozen, {missing[0]} is missing"], self._key(node), outs
        why = f"frozen, and {missing[0]} is missing: `dvc unfreeze {stage.name}`, or bring it back"
        return BLOCKED, [why], None, {}

    def _inputs(self, node: Any) -> tuple[list[str], list[str], list[str]]:
        """What differs from the last run; stages whose output nobody knows yet; paths that are missing.

        The node's dependencies then hold the hashes that a run would find.
        """
        from dvc.dependency import ParamsDependency

        changes: list[str] = []
        unknown: dict[str, None] = {}
        missing: list[str] = []
        for dep in node.deps:
            before = dep.hash_info
            if isinstance(dep, ParamsDependency):
                changes += _changed_values(before.value or {}, dep.read_params())
                dep.fill_values(dep.read_params())
                continue
            producer = self._producer(dep.fs_path)
            if producer is not None and self.predicted[producer] is None:
                unknown[self._stage_of(producer)] = None
                continue
            now = self.predicted[dep.fs_path] if producer == dep.fs_path else self.hash(dep)
            if not now:
                missing.append(dep.def_path)
            elif not before:
                changes.append(f"{dep.def_path} is new" if _has_lock(node) else NEVER)
            elif now != before:
                changes.append(f"{dep.def_path} changed")
            dep.hash_info = now
        return list(dict.fromkeys(changes)), list(unknown), missing

    def _producer(self, path: str) -> str | None:
        """The output that `path` is, lies in or contains."""
        for out in self.predicted:
            if out == path or path.startswith(f"{out}/") or out.startswith(f"{path}/"):
                return out
        return None

    def _stage_of(self, out: str) -> str:
        return next(node.name for node in self.repo.index.stages if any(o.fs_path == out for o in node.outs))

    def _outputs(self, node: Any) -> list[str]:
        """What is wrong with the outputs, compared with the last run."""
        wrong = []
        for out in node.outs:
            if not out.exists:
                wrong.append(f"{out.def_path} is missing")
            elif not out.hash_info:
                wrong.append(f"{out.def_path} is not in dvc.lock")
            elif self.hash(out) != out.hash_info:
                wrong.append(f"{out.def_path} was edited")
            elif out.use_cache and out.changed_cache():
                wrong.append(f"{out.def_path} is not in the cache, or damaged there")
        return wrong

    def hash(self, item: Any) -> Any:
        """The hash of an output or dependency as it lies in the workspace; None if it is not there."""
        path = item.fs_path
        if path not in self.hashes:
            self.hashes[path] = None
            if item.exists:
                item.meta, self.hashes[path] = item._get_hash_meta()
        return self.hashes[path]

    def _key(self, node: Any) -> str:
        """DVC's own key of its run cache: command, inputs, parameters, names of the outputs."""
        from dvc.stage.cache import _get_cache_hash
        from dvc.stage.serialize import to_single_stage_lockfile

        return str(_get_cache_hash(to_single_stage_lockfile(node), key=True))

    def _entry(self, key: str) -> Any:
        """The newest result in the run cache, as a stage of DVC's; None if there is none."""
        cache = self.repo.stage_cache
        folder = Path(cache._get_cache_dir(key))
        files = sorted(folder.iterdir(), key=lambda f: f.stat().st_mtime) if folder.is_dir() else []
        entry = cache._load_cache(key, files[-1].name) if files else None
        return self._as_stage(entry) if entry else None

    def _in_cache(self, node: Any) -> bool:
        """Whether the last run's outputs are all in the cache (those that git keeps too: runs save them)."""
        from dvc.stage.serialize import to_single_stage_lockfile

        if not all(out.hash_info for out in node.outs):
            return False
        return bool(self._as_stage(to_single_stage_lockfile(node)).outs_cached())

    def _as_stage(self, entry: Any) -> Any:
        """An entry of dvc.lock or the run cache as a stage. DVC's own way needs the root as cwd."""
        from dvc.stage import PipelineStage, create_stage
        from dvc.stage.loader import StageLoader

        root = self.repo.root_dir
        outs = [out["path"] for out in entry["outs"]]
        stage = create_stage(
            PipelineStage, self.repo, str(Path(root) / "dvc.yaml"), cmd=entry["cmd"], wdir=root, outs=outs
        )
        StageLoader.fill_from_lock(stage, entry)
        return stage

    def _could_be_cached(self, stage: Stage, node: Any, unknown: list[str]) -> bool:
        """Whether some result in the run cache fits all that is known; then the stage may be restored."""
        from dvc.dependency import ParamsDependency

        known = [dep.hash_info.value for dep in node.deps if not isinstance(dep, ParamsDependency)
                 and self._is_known(dep)]  # fmt: skip
        runs = Path(self.repo.stage_cache.cache_dir)
        command = f"cmd: {stage.cmd}"
        for file in runs.glob("*/*/*") if runs.is_dir() else ():
            text = file.read_text(errors="replace")
            if command in text and all(value in text for value in known):
                return True
        return False

    def _is_known(self, dep: Any) -> bool:
        producer = self._producer(dep.fs_path)
        return producer is None or self.predicted[producer] is not None


def _has_lock(node: Any) -> bool:
    return any(out.hash_info for out in node.outs)


def _missing(path: str) -> str:
    parts = Path(path).parts
    if parts[:2] == ("data", "raw") and len(parts) == 3:
        return f"{path} is missing: `wsss link {parts[2]} PATH` puts your pictures there"
    return f"{path} is missing, and no stage makes it"


def _changed_values(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Parameters that changed, by leaf: `seeds.method: cam -> vgatt`."""
    if not before:
        return []
    found = []
    for key in [*now, *(key for key in before if key not in now)]:
        if now.get(key) != before.get(key):
            for name, old, new in leaves(key, before.get(key), now.get(key)):
                found.append(f"{name}: {_text(old)} -> {_text(new)}")
    return found


def _text(value: Any) -> str:
    import json

    return value if isinstance(value, str) and value else json.dumps(value)
