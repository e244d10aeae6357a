"""Where two runs part: what their dvc.lock say of each stage, compared from the top of the graph down.

A stage whose inputs from other stages are equal on both sides, but whose result is not, is where the runs
part: its own parameters, code or raw data made the difference, or, with all of these equal, another machine
or chance did. What merely lies below such a stage follows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.project.changes import between
from pipeline.project.presets import Change, leaves
from pipeline.results.snapshot import hashes
from stages.common import stamps

STATES = ("parts here", "follows", "same result", "only in A", "only in B")
PARTS, FOLLOWS, SAME_RESULT, ONLY_A, ONLY_B = STATES
Lock = Mapping[str, Any]


@dataclass(frozen=True)
class Parting:
    """A stage that differs, and what made it differ by itself: nothing, if it only follows."""

    stage: str
    state: str
    params: tuple[Change, ...] = ()
    code: tuple[str, ...] = ()  # files, the stamp of files, and "the command"
    data: tuple[str, ...] = ()  # what no stage made and is no code: raw pictures
    upstream: tuple[str, ...] = ()  # stages whose outputs it read, and that differ

    @property
    def causes(self) -> tuple[str, ...]:
        """Of params, code and data those that differ; "chance" if it parts without any."""
        own = [("params", self.params), ("code", self.code), ("data", self.data)]
        named = tuple(name for name, found in own if found)
        return named or (("chance",) if self.state == PARTS else ())


def partings(a: Lock, b: Lock) -> list[Parting]:
    """All stages that differ, in the order of the graph; none for equal runs."""
    a, b = _aligned(a, b), _aligned(b, a)
    makers = {out: name for lock in (a, b) for name, entry in lock.items() for out in hashes(entry, "outs")}
    found = []
    for name in ordered(a, b):
        if any(stamps.FOLDER in hashes(lock.get(name, {}), "outs") for lock in (a, b)):
            continue  # it notes the code of the others
        if name in a and name in b:
            stage = _compare(name, a[name], b[name], makers)
        else:
            stage = Parting(name, ONLY_A if name in a else ONLY_B)
        found += [stage] if stage else []
    return found


def _aligned(lock: Lock, other: Lock) -> Lock:
    """The entries by the names of the other side, where one of the two has made a step a foreach of one."""
    names = {}
    for name in lock:
        step = name.partition("@")[0]
        alike = [known for known in other if known.partition("@")[0] == step]
        ours = [known for known in lock if known.partition("@")[0] == step]
        names[name] = step if len(alike) == len(ours) == 1 and alike != ours else name
    return {names[name]: entry for name, entry in lock.items()}


def ordered(a: Lock, b: Lock) -> list[str]:
    """The stages of both, each after those whose outputs it reads."""
    entries = {**a, **b}
    makers = {out: name for name, entry in entries.items() for out in hashes(entry, "outs")}
    done: dict[str, None] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name not in done and name not in path:
            for dep in hashes(entries[name], "deps"):
                for maker in _made_by(dep, makers):
                    visit(maker, (*path, name))
            done[name] = None

    for name in entries:
        visit(name, ())
    return list(done)


def _compare(name: str, a: dict[str, Any], b: dict[str, Any], makers: Mapping[str, str]) -> Parting | None:
    """None if inputs and results are equal."""
    deps_a, deps_b = hashes(a, "deps"), hashes(b, "deps")
    moved = [path for path in {**deps_a, **deps_b} if deps_a.get(path) != deps_b.get(path)]
    stamped = [path for path in moved if is_stamp(path)]
    if stamped and not all(set(stamped) <= deps.keys() for deps in (deps_a, deps_b)):
        moved = [path for path in moved if not path.startswith("stages/")]  # one side noted file by file
    made = {path: _made_by(path, makers) for path in moved if not is_stamp(path)}
    above = dict.fromkeys(maker for names in made.values() for maker in names)
    own = [path for path in moved if not made.get(path)]
    params = tuple(_params(a, b))
    command = ["the command"] if a.get("cmd") != b.get("cmd") else []
    equal = hashes(a, "outs") == hashes(b, "outs")
    if equal and not (set(moved) - {"params.yaml"} or params or command):  # a check of all parameters
        return None
    return Parting(
        stage=name,
        state=SAME_RESULT if equal else FOLLOWS if above else PARTS,
        params=params,
        code=(*command, *(path for path in own if is_stamp(path) or not path.startswith("data/"))),
        data=tuple(path for path in own if path.startswith("data/") and not is_stamp(path)),
        upstream=tuple(above),
    )


def is_stamp(path: str) -> bool:
    """Whether a dependency notes which code a stage runs."""
    return path.startswith(f"{stamps.FOLDER}/")


def _params(a: dict[str, Any], b: dict[str, Any]) -> list[Change]:
    """What differs in the parameters of two entries, which list them by file, then by dotted key."""
    old, new = (entry.get("params") or {} for entry in (a, b))
    return [change for file in {**old, **new} for change in between(old.get(file) or {}, new.get(file) or {})]


def not_run(params: Mapping[str, Any], lock: Lock) -> list[Change]:
    """Parameters that are set, but not what the results were made with: old is what they were made with."""
    found: dict[str, Change] = {}
    for entry in lock.values():
        for key, made in ((entry.get("params") or {}).get("params.yaml") or {}).items():
            now = value(params, key)
            if now != made:
                found |= {change[0]: change for change in leaves(key, made, now)}
    return list(found.values())


def value(params: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key; None where there is none."""
    place: Any = params
    for part in key.split("."):
        place = place.get(part) if isinstance(place, Mapping) else None
    return place


def _made_by(path: str, makers: Mapping[str, str]) -> list[str]:
    """The stages that made a path, something in it, or what it lies in."""
    return [
        name
        for out, name in makers.items()
        if out == path or out.startswith(f"{path}/") or path.startswith(f"{out}/")
    ]
