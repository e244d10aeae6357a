"""What a run would do, and why, before it does it: one pass over the graph, nothing is started.

Hashes go down the graph as they would in a run. A stage whose inputs are all known is unchanged,
restorable (its result is in the cache) or will run; one below a stage that will run has inputs that
nobody knows yet, and may run: if what comes out above has equal bytes, the change ends there. So
what ran is never less than "will run" and never more than "will run" and "may run".
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import ledger, objects
from pipeline.files import Files, Found, written_now
from pipeline.graph import Graph, Stage, nodes, of_repo, open_repo
from pipeline.presets import leaves
from pipeline.runcache import RunCache, always_runs, is_kept

UNCHANGED, RESTORABLE, WILL_RUN, MAY_RUN, BLOCKED, FROZEN = (
    "unchanged", "restorable", "will run", "may run", "blocked", "frozen",
)  # fmt: skip
NEVER, ALWAYS, NOW = "never ran here", "always runs", "running now"
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

    @property
    def done(self) -> bool:
        """Whether nothing is left to do; what always runs is never done, and no fault of a run."""
        return self.state in AT_REST or ALWAYS in self.why


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
        view = _View(repo, ledger.typical_seconds(root))
        for name in names:
            view.look(graph.stages[name], name in forced, problem)
        return Plan(graph, view.rows)


def each(root: Path, names: Iterable[str]) -> dict[str, Row]:
    """Judge stages one by one, those of them that dvc.yaml has: what they read is taken as it lies there."""
    with open_repo(root) as repo:
        stages, view = of_repo(repo).stages, _View(repo, {}, ahead=False)
        return {name: view.look(stages[name], False, None) for name in names if name in stages}


@dataclass(frozen=True)
class One:
    """One stage as it is now, and the folder of the cache."""

    stage: Stage
    row: Row
    cache: Path


def one(root: Path, name: str) -> One:
    """Judge one stage; what it reads from is taken as it lies there. ValueError if it is gone."""
    with open_repo(root) as repo:
        graph = of_repo(repo)
        if name not in graph.stages:
            raise ValueError(f"stage {name} is gone from dvc.yaml")
        row = _View(repo, {}).look(graph.stages[name], False, None)
        return One(graph.stages[name], row, Path(repo.cache.local_cache_dir))


def cached_result(repo: Any, name: str) -> Any:
    """The run cache's newest result for a stage's inputs now, as a stage of DVC's; None if none."""
    view = _View(repo, {})
    row = view.look(of_repo(repo).stages[name], False, None)
    return view.cache.newest(view.nodes[name], row.key) if row.key else None


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


@dataclass(frozen=True)
class _Judgement:
    state: str
    why: Sequence[str] = ()
    key: str | None = None
    outs: Iterable[Any] = ()  # those whose hashes are known


@dataclass
class _Inputs:
    """What a stage reads, against its last run."""

    changes: dict[str, None] = field(default_factory=dict)  # in words, in order
    unknown: dict[str, None] = field(default_factory=dict)  # stages whose output nobody knows yet
    missing: list[str] = field(default_factory=list)  # in words
    known: dict[str, Any] = field(default_factory=dict)  # hashes by path


class _View:
    """The stages that have been looked at so far, in the order of the graph."""

    def __init__(self, repo: Any, seconds: dict[str, float], ahead: bool = True) -> None:
        self.repo, self.seconds = repo, seconds
        self.ahead = ahead  # look at what a run would find, not at what lies there
        self.nodes = nodes(repo)
        self.cache = RunCache(repo)
        self.files = Files(repo)
        self.written = written_now(Path(repo.tmp_dir))
        self.rows: dict[str, Row] = {}

    def look(self, stage: Stage, forced: bool, problem: str | None) -> Row:
        node = self.nodes[stage.name]
        found = self._judge(stage, node, forced, problem)
        estimate = self.seconds.get(stage.name) if found.state in (WILL_RUN, MAY_RUN) else None
        at_work = (NOW,) if self.written.intersection(out.fs_path for out in node.outs) else ()
        row = Row(stage.name, found.state, (*at_work, *found.why), estimate, found.key)
        if self.ahead:
            self.rows[stage.name] = row
            self._tell(stage, node, found)
        return row

    def _tell(self, stage: Stage, node: Any, found: _Judgement) -> None:
        """What the stage's outputs will be, for those that read them."""
        outs = {out.fs_path: Found(out.hash_info, out.meta) for out in found.outs}
        if stage.meta.constant:
            outs |= {out.fs_path: Found(out.hash_info, out.meta) for out in node.outs if out.hash_info}
        for out in node.outs:
            self.files.tell(out.fs_path, stage.name, outs.get(out.fs_path), found.state in AT_REST)

    def _judge(self, stage: Stage, node: Any, forced: bool, problem: str | None) -> _Judgement:
        if stage.frozen:
            return self._frozen(stage, node)
        blockers = [name for name in stage.upstream if name in self.rows and self.rows[name].state == BLOCKED]
        if blockers:
            return _Judgement(BLOCKED, [f"needs {', '.join(blockers)}"])
        if stage.name == "parameters" and problem:
            return _Judgement(BLOCKED, problem.splitlines())
        inputs = self._inputs(node)
        if inputs.missing:
            return _Judgement(BLOCKED, inputs.missing)
        changes = list(inputs.changes)
        if node.cmd_changed:
            changes.insert(0, "the command changed")
        if forced or always_runs(node):
            return _Judgement(WILL_RUN, ["forced" if forced else ALWAYS, *changes])
        if inputs.unknown:
            sure = changes and not (is_kept(node) and self.cache.may_have(node, inputs.known))
            below = [] if changes == [NEVER] else [f"below {', '.join(inputs.unknown)}"]
            return _Judgement(WILL_RUN if sure else MAY_RUN, changes + below)
        return self._settled(node, changes)

    def _settled(self, node: Any, changes: list[str]) -> _Judgement:
        """All inputs are known."""
        wrong = [] if changes else self._outputs(node)
        if not changes and not wrong:
            return _Judgement(UNCHANGED, outs=node.outs)
        key = self.cache.key(node)
        result = self._saved(node, key, bool(changes)) if is_kept(node) else None
        if result is not None:
            return _Judgement(RESTORABLE, changes or wrong, key, result.outs)
        return _Judgement(WILL_RUN, changes or wrong, key)

    def _saved(self, node: Any, key: str, changed: bool) -> Any:
        """The result that DVC would restore: the last one where the inputs are the same, else by the key."""
        last = not changed and all(out.hash_info for out in node.outs)
        entry = self.cache.last(node) if last else self.cache.newest(node, key)
        return entry if entry is not None and entry.outs_cached() else None

    def _frozen(self, stage: Stage, node: Any) -> _Judgement:
        """DVC neither runs nor restores it."""
        missing = [out.def_path for out in node.outs if not out.exists]
        if missing:
            do = f"`dvc checkout {missing[0]}`, or `dvc unfreeze {stage.name}`"
            return _Judgement(BLOCKED, [f"frozen, and {missing[0]} is missing: {do}"])
        wrong = [out.def_path for out in node.outs if out.hash_info and self._differs(out)]
        for out in node.outs:
            found = self.files.now(out)
            assert found is not None
            out.hash_info, out.meta = found.hash, found.meta
        return _Judgement(FROZEN, [f"{path} was edited" for path in wrong], outs=node.outs)

    def _inputs(self, node: Any) -> _Inputs:
        """The node's dependencies then hold the hashes that a run would find."""
        from dvc.dependency import ParamsDependency

        inputs = _Inputs()
        ran = any(item.hash_info for item in (*node.outs, *node.deps))
        for dep in node.deps:
            if isinstance(dep, ParamsDependency):
                _parameters(dep, ran, inputs)
                continue
            below = self.files.unknown(dep.fs_path)
            if below:
                inputs.unknown |= below
                continue
            before, found = dep.hash_info, self.files.ahead(dep)
            if found is None:
                inputs.missing.append(self._missing(dep))
                continue
            if not before:
                inputs.changes[f"{dep.def_path} is new" if ran else NEVER] = None
            elif found.hash != before:
                inputs.changes[f"{dep.def_path} changed"] = None
            dep.hash_info, dep.meta = found.hash, found.meta
            inputs.known[dep.def_path] = found.hash
        return inputs

    def _differs(self, out: Any) -> bool:
        found = self.files.now(out)
        return found is None or found.hash != out.hash_info

    def _outputs(self, node: Any) -> list[str]:
        """What is wrong with the outputs, compared with the last run."""
        wrong = []
        for out in node.outs:
            if not out.exists:
                wrong.append(f"{out.def_path} is missing")
            elif not out.hash_info:
                wrong.append(f"{out.def_path} is new")
            elif self._differs(out):
                wrong += objects.edited(self.repo, out)
            elif out.use_cache and out.changed_cache():
                wrong.append(f"{out.def_path} is not in the cache, or damaged there")
        return wrong

    def _missing(self, dep: Any) -> str:
        path = dep.def_path
        sources = (node for node in self.repo.index.stages if not node.cmd)
        for source in sources:
            for out in source.outs:
                if dep.fs_path == out.fs_path or dep.fs_path.startswith(f"{out.fs_path}/"):
                    return f"{path} is missing: `dvc checkout {source.path_in_repo}`, or `dvc pull` it first"
        parts = Path(path).parts
        if parts[:2] == ("data", "raw") and len(parts) == 3:
            return (
                f"{path} is missing: `wsss link {parts[2]} PATH` puts your pictures there; with results of "
                "others (`dvc pull`) `--from STAGE` starts below it"
            )
        return f"{path} is missing, and no stage makes it"


def _parameters(dep: Any, ran: bool, inputs: _Inputs) -> None:
    """Compare what a stage reads of a file of parameters."""
    if not dep.exists:
        inputs.missing.append(f"{dep.def_path} is missing")
        return
    before, now = dep.hash_info.value or {}, dep.read_params()
    inputs.missing += [f"{dep.def_path} has no {key}, which it reads" for key in dep.params if key not in now]
    for key in [*now, *(key for key in before if key not in now)]:
        if key not in before:
            inputs.changes[f"{key} is new" if ran else NEVER] = None
        elif now.get(key) != before[key]:
            for name, old, new in leaves(key, before[key], now.get(key)):
                inputs.changes[f"{name}: {_text(old)} -> {_text(new)}"] = None
    dep.fill_values(now)


def _text(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, default=str)
