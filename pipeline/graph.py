"""The DVC graph as plain values, read only. All that touches DVC's Python interface is here and in plan.py.

That interface is private in all but name, so constraints.txt pins DVC, and no `Repo` lives longer
than one question: a stage that runs changes what it has read.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Meta:
    """What dvc.yaml says under `meta:` of a stage: how to run it, never what it computes."""

    gpu: int = 0  # devices asked for
    distributed: bool = False  # WSSS_DEVICES may ask for more
    timeout: float | None = None  # seconds
    retries: int = 0
    pool: str = ""  # work pool that may run it elsewhere; a stage with gpu belongs to "gpu"
    constant: bool = False  # a check: its output has the same bytes whatever its inputs are


@dataclass(frozen=True)
class Stage:
    """One stage; paths are relative to the project's root."""

    name: str
    cmd: str
    deps: tuple[str, ...]
    params: tuple[str, ...]  # dotted keys of params.yaml
    outs: tuple[str, ...]
    upstream: tuple[str, ...]  # stages whose outputs it reads
    meta: Meta
    frozen: bool


@dataclass(frozen=True)
class Graph:
    """Stages by name, each after all that it reads from."""

    stages: dict[str, Stage]

    def up(self, names: Iterable[str]) -> list[str]:
        """`names` and all that they need, in order. ValueError for a name that is not there."""
        wanted = set(self.known(names))
        for stage in reversed(self.stages.values()):
            if stage.name in wanted:
                wanted.update(stage.upstream)
        return [name for name in self.stages if name in wanted]

    def down(self, names: Iterable[str]) -> list[str]:
        """`names` and all that reads from them, in order."""
        wanted = set(self.known(names))
        for stage in self.stages.values():
            if wanted.intersection(stage.upstream):
                wanted.add(stage.name)
        return [name for name in self.stages if name in wanted]

    def known(self, names: Iterable[str]) -> list[str]:
        """The stages meant: a name, or the name of a foreach, which means all of its stages."""
        found: list[str] = []
        for name in names:
            members = [known for known in self.stages if known == name or known.split("@")[0] == name]
            if not members:
                raise ValueError(f"there is no stage {name!r}; there are {', '.join(self.stages)}")
            found += members
        return found


@contextmanager
def open_repo(root: Path) -> Iterator[Any]:
    """A DVC repository for one question. DVC's own errors become one ValueError."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root), _wait_for_lock=True) as repo:
            yield repo
    except DvcException as error:
        raise ValueError(f"DVC: {error}") from None


def read(root: Path) -> Graph:
    """The stages of dvc.yaml."""
    with open_repo(root) as repo:
        return of_repo(repo)


def of_repo(repo: Any) -> Graph:
    import networkx

    edges = repo.index.graph  # from a stage to what it reads from
    stages = {}
    for node in reversed(list(networkx.lexicographical_topological_sort(edges, key=_position(repo)))):
        if node.cmd:
            above = tuple(sorted(other.name for other in edges.successors(node) if other.cmd))
            stages[node.name] = _stage(node, above)
    return Graph(stages)


def _position(repo: Any) -> Any:
    """Stages that do not wait for each other keep the order of dvc.yaml (the sort runs backwards)."""
    place = {id(node): n for n, node in enumerate(repo.index.stages)}
    return lambda node: -place[id(node)]


def _stage(node: Any, upstream: tuple[str, ...]) -> Stage:
    from dvc.dependency import ParamsDependency

    params = [key for dep in node.deps if isinstance(dep, ParamsDependency) for key in dep.params]
    deps = [dep.def_path for dep in node.deps if not isinstance(dep, ParamsDependency)]
    return Stage(
        name=node.name,
        cmd=node.cmd if isinstance(node.cmd, str) else "\n".join(node.cmd),
        deps=tuple(deps),
        params=tuple(params),
        outs=tuple(out.def_path for out in node.outs),
        upstream=upstream,
        meta=meta(node.name, node.meta or {}),
        frozen=bool(node.frozen),
    )


def meta(stage: str, values: dict[str, Any]) -> Meta:
    """Check `meta:` of a stage; ValueError says which key is wrong and what is allowed."""
    known = [field.name for field in fields(Meta)]
    for key in values:
        if key not in known:
            raise ValueError(f"dvc.yaml, stage {stage}: unknown meta key {key!r}; known: {', '.join(known)}")
    checked = dict(values)
    if "timeout" in values:
        checked["timeout"] = seconds(values["timeout"])
    for key in ("gpu", "retries"):
        value = values.get(key, 0)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f"dvc.yaml, stage {stage}: meta.{key} must be 0 or more, found {value!r}")
    return Meta(**checked)


def seconds(text: Any) -> float:
    """`90`, `90s`, `5m`, `6h` or `2d` as seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", str(text).strip())
    if not match or float(match[1]) == 0:
        raise ValueError(f"{text!r} is no duration: write 90s, 5m, 6h or 2d")
    return float(match[1]) * UNITS[match[2] or "s"]
