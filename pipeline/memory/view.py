"""What a run would do with one stage, from what is known of the stages above it."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.memory import attribution, objects
from pipeline.memory.code import Code
from pipeline.memory.files import Files, written_now
from pipeline.memory.folders import Found
from pipeline.memory.graph import Stage, nodes
from pipeline.memory.runcache import RunCache, always_runs, as_stage, is_kept
from pipeline.project.presets import leaves
from stages.common.params import ParameterError, value_of

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


class View:
    """The stages that have been looked at so far, in the order of the graph."""

    def __init__(self, repo: Any, seconds: dict[str, float], ahead: bool = True) -> None:
        self.repo, self.seconds = repo, seconds
        self.ahead = ahead  # look at what a run would find, not at what lies there
        self.nodes = nodes(repo)
        self.cache = RunCache(repo)
        self.files = Files(repo)
        self.suspects = attribution.suspects(Path(repo.root_dir))
        self.written = written_now(Path(repo.tmp_dir))
        self.rows: dict[str, Row] = {}
        self.restored: dict[str, Any] = {}  # the result, as a stage of DVC's
        self.unseen: dict[str, dict[str, Any]] = {}  # what can be restored, and DVC alone would not
        self.params: dict[str, dict[str, Any]] = {}  # of each file of parameters
        self.code = Code(repo)

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
        if stage.meta.stamps:  # what it will write is known before it runs
            outs = self.code.outputs()
        for path in outs if stage.meta.stamps else (out.fs_path for out in node.outs):
            self.files.tell(path, stage.name, outs.get(path), found.state in AT_REST)

    def _judge(self, stage: Stage, node: Any, forced: bool, problem: str | None) -> _Judgement:
        if stage.frozen:
            return self._frozen(stage, node)
        if stage.name == "parameters" and problem:
            return _Judgement(BLOCKED, problem.splitlines())
        blockers = [name for name in stage.upstream if name in self.rows and self.rows[name].state == BLOCKED]
        if blockers:
            return _Judgement(BLOCKED, [f"needs {', '.join(blockers)}"])
        inputs = self._inputs(node)
        if inputs.missing:
            return _Judgement(BLOCKED, inputs.missing)
        changes = list(inputs.changes)
        if node.cmd_changed:
            changes.insert(0, "the command changed")
        if forced or always_runs(node):
            return _Judgement(WILL_RUN, ["forced" if forced else ALWAYS, *changes])
        if stage.name in self.suspects:
            return _Judgement(MAY_RUN, ["what it reads changed while a killed run was at work"])
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
            self.restored[node.name] = result
            return _Judgement(RESTORABLE, changes or wrong, key, result.outs)
        return _Judgement(WILL_RUN, changes or wrong, key)

    def _saved(self, node: Any, key: str, changed: bool) -> Any:
        """The result to restore: the last one where its inputs are those of now, else one by the key.

        DVC looks at the last one only, though the cache may lack it and have another, made on this machine.
        """
        last = not changed and all(out.hash_info for out in node.outs)
        if last and (kept := self.cache.last(node)).outs_cached():
            return kept
        entry = self.cache.newest(node, key)
        if entry is None:
            return None
        if last or entry != next(self.cache.entries(key)):
            self.unseen[node.name] = entry
        return as_stage(node, entry)

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
                _parameters(dep, self._values(dep), ran, inputs)
                continue
            below = self.files.unknown(dep.fs_path)
            if below:
                inputs.unknown |= below
                continue
            if not dep.hash_info:  # DVC takes it for one of its old kind, until it has run
                dep.update_legacy_hash_name(force=True)
            before, found = dep.hash_info, self.files.ahead(dep)
            if found is None:
                inputs.missing.append(self._missing(node, dep))
                continue
            if not before:
                inputs.changes[f"{dep.def_path} is new" if ran else NEVER] = None
            elif found.hash != before:
                inputs.changes |= dict.fromkeys(self.code.changes(dep, before) or [f"{dep.def_path} changed"])
            dep.hash_info, dep.meta = found.hash, found.meta
            inputs.known[dep.def_path] = found.hash
        return inputs

    def _values(self, dep: Any) -> dict[str, Any]:
        """What a stage reads of a file of parameters. DVC alone would parse the file for each stage anew."""
        if not dep.exists:
            return {}
        if dep.fs_path not in self.params:
            self.params[dep.fs_path] = type(dep)(dep.stage, dep.fs_path, (), dep.repo).read_params()
        values = self.params[dep.fs_path]
        found = {} if dep.params else values
        for key in dep.params:
            with suppress(ParameterError):  # it is not there
                found[key] = value_of(values, key)
        return found

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
            elif out.use_cache and not objects.is_cached(out):
                wrong.append(f"{out.def_path} is not in the cache, or damaged there")
        return wrong

    def _missing(self, node: Any, dep: Any) -> str:
        path = dep.def_path
        sources = (node for node in self.repo.index.stages if not node.cmd)
        for source in sources:
            for out in source.outs:
                if dep.fs_path == out.fs_path or dep.fs_path.startswith(f"{out.fs_path}/"):
                    return f"{path} is missing: `dvc checkout {source.path_in_repo}`, or `dvc pull` it first"
        parts = Path(path).parts
        if parts[:2] == ("data", "raw") and len(parts) == 3:
            link = f"`wsss link {parts[2]} PATH` puts your pictures there"
            return f"{path} is missing: {link}{self._without(node)}"
        return f"{path} is missing, and no stage makes it"

    def _without(self, node: Any) -> str:
        """The way on for who has pulled the results of a stage but has no pictures; "" if there is none."""
        made = {out.fs_path for out in node.outs if out.exists}
        readers = (name for name, other in self.nodes.items() if made & {dep.fs_path for dep in other.deps})
        first = next(readers, "")
        if len(made) < len(node.outs) or not first:
            return ""
        return f"; or go on from the results of {node.name}: `wsss run --from {first}`"


def _parameters(dep: Any, now: dict[str, Any], ran: bool, inputs: _Inputs) -> None:
    """Compare what a stage reads of a file of parameters with what its last run read."""
    if not dep.exists:
        inputs.missing.append(f"{dep.def_path} is missing")
        return
    before = dep.hash_info.value or {}
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
