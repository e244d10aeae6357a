"""The DVC graph as plain values, read only.

DVC's Python interface is private in all but name, so only this room imports it, and upkeep for DVC's lock
and its trial of links. constraints.txt pins DVC, and no `Repo` lives longer than one question: a stage that
runs changes what it has read.
"""

import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.project import safe
from stages.common.params import check_yaml

NO_GIT = (
    ". The project needs the memory of git and DVC, which a ZIP does not have: `git clone` it, or begin one: "
    "`git init && git add -A && git commit -m start`, and `dvc init` where there is no .dvc"
)
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
    stamps: bool = False  # it writes data/code: which code each step runs


@dataclass(frozen=True)
class Stage:
    """One stage; paths are relative to the project's root."""

    name: str
    cmd: str
    deps: tuple[str, ...]
    params: tuple[str, ...]  # dotted keys of params.yaml
    outs: tuple[str, ...]
    upstream: tuple[str, ...]  # stages whose outputs it reads; a frozen one reads nothing
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

    def chosen(self, targets: Sequence[str] = (), start: Sequence[str] = ()) -> list[str]:
        """The stages of a command, in order: all, or `targets` and all that they need; with `start`, of
        those only from there on down. ValueError for an unknown name, and if none is left."""
        names = self.up(targets) if targets else list(self.stages)
        if start:
            below = set(self.down(start))
            names = [name for name in names if name in below]
            if not names:
                raise ValueError(f"{', '.join(targets)} does not need {', '.join(start)}: nothing to run")
        return names

    def known(self, names: Iterable[str]) -> list[str]:
        """The stages meant: a name, or the name of a foreach, which means all of its stages."""
        found: list[str] = []
        for name in names:
            members = [known for known in self.stages if known == name or known.split("@")[0] == name]
            if not members:
                raise ValueError(f"there is no stage {name!r}; there are {', '.join(self.stages) or 'none'}")
            found += members
        return found


@contextmanager
def open_repo(root: Path) -> Iterator[Any]:
    """A DVC repository for one question. DVC's own errors become one ValueError."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    for name in ("dvc.yaml", "params.yaml", "dvc.lock"):  # DVC reads them whatever they hold
        with suppress(OSError, UnicodeDecodeError):
            check_yaml((root / name).read_text(encoding="utf-8"), name)
    try:
        with Repo(str(root), _wait_for_lock=True) as repo:
            yield repo
    except DvcException as error:
        text = explain(error).replace(f"{os.path.relpath(root)}/", "")
        hint = " (`wsss run` mends it)" if "'dvc.lock'" in text else ""
        raise ValueError(f"DVC: {text}{hint}") from None
    except TypeError as error:
        if not str(error).startswith("Unsupported value of type"):
            raise
        raise ValueError(f"DVC: {error}: dates are written in quotes") from None
    except sqlite3.Error as error:  # a full disk, mostly
        place = "/var/tmp/dvc, or core.site_cache_dir if it is set"
        raise ValueError(f"DVC's database of hashes ({place}): {error}; is the disk full?") from None


def explain(error: Exception) -> str:
    """An error of DVC's in one line, with the place in the file, which it has but does not say."""
    text = str(error).removesuffix(".")
    if text.endswith(("is not a git repository", "not inside of a DVC repository")):
        text += NO_GIT
    for fault in getattr(getattr(error, "exc", None), "errors", ()):  # of the schema
        text += f"; {': '.join([*map(str, fault.path), fault.error_message])}"
    cause: Any = error
    while cause is not None and getattr(cause, "problem_mark", None) is None:
        cause = cause.__cause__
    if cause is not None:  # of the syntax
        text += f"; line {cause.problem_mark.line + 1}: {cause.problem}"
    return " ".join(text.replace("'./", "'").split())


def read(root: Path) -> Graph:
    """The stages of dvc.yaml. ValueError for one that DVC cannot read, or with a wrong `meta`."""
    with open_repo(root) as repo:
        return of_repo(repo)


def of_repo(repo: Any) -> Graph:
    import networkx

    with repo.lock:  # DVC rewrites dvc.lock in place: half of it would read as stages that never ran
        edges = repo.index.graph  # from a stage to what it reads from
    ours = {id(node) for node in nodes(repo).values()}
    stages = {}
    for node in reversed(list(networkx.lexicographical_topological_sort(edges, key=_position(repo)))):
        if id(node) in ours:
            above = [] if node.frozen else [other for other in edges.successors(node) if id(other) in ours]
            stages[node.name] = _stage(node, tuple(sorted(other.name for other in above)))
    return Graph(stages)


def nodes(repo: Any) -> dict[str, Any]:
    """DVC's own stages by name: of the root's dvc.yaml, without data sources (.dvc files)."""
    found = {node.name: node for node in repo.index.stages if node.cmd and node.path_in_repo == "dvc.yaml"}
    for name, node in found.items():
        for item in (*node.outs, *node.deps):  # their hashes are of dvc.lock, from any branch
            if item.hash_info and item.hash_info.name == "md5":
                safe.oid(item.hash_info.value, f"dvc.lock, stage {name},")
    return found


def _position(repo: Any) -> Any:
    """Stages that do not wait for each other keep the order of dvc.yaml (the sort runs backwards)."""
    place = {id(node): n for n, node in enumerate(repo.index.stages)}
    return lambda node: -place[id(node)]


def _stage(node: Any, upstream: tuple[str, ...]) -> Stage:
    from dvc.dependency import ParamsDependency

    params = [key for dep in node.deps if isinstance(dep, ParamsDependency) for key in dep.params]
    deps = [_path(dep) for dep in node.deps if not isinstance(dep, ParamsDependency)]
    return Stage(
        name=node.name,
        cmd=node.cmd if isinstance(node.cmd, str) else "\n".join(node.cmd),
        deps=tuple(deps),
        params=tuple(params),
        outs=tuple(_path(out) for out in node.outs),
        upstream=upstream,
        meta=meta(node.name, node.meta or {}),
        frozen=bool(node.frozen),
    )


def _path(item: Any) -> str:
    """As dvc.yaml has it; relative to the root too where a stage has a `wdir` of its own."""
    if not item.is_in_repo:
        return str(item.def_path)
    return Path(item.fs_path).relative_to(item.repo.root_dir).as_posix()


def meta(stage: str, values: Any) -> Meta:
    """Check `meta:` of a stage; ValueError says which key is wrong and what is allowed."""
    if not isinstance(values, dict):
        raise ValueError(f"dvc.yaml, stage {stage}: meta must hold keys, found {values!r}")
    checked = {}
    for key, value in values.items():
        if key not in CHECKS:
            raise ValueError(f"dvc.yaml, stage {stage}: unknown meta key {key!r}; known: {', '.join(CHECKS)}")
        try:
            checked[key] = CHECKS[key](value)
        except ValueError as error:
            raise ValueError(f"dvc.yaml, stage {stage}: meta.{key}: {error}") from None
    return Meta(**checked)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"must be 0 or more, found {value!r}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, found {value!r}")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a name, found {value!r}")
    return value


def seconds(text: Any) -> float:
    """`90`, `90s`, `5m`, `6h` or `2d` as seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", str(text).strip())
    if not match or float(match[1]) == 0:
        raise ValueError(f"{text!r} is no duration: write 90s, 5m, 6h or 2d")
    return float(match[1]) * UNITS[match[2] or "s"]


CHECKS: dict[str, Callable[[Any], Any]] = {
    "gpu": _count, "distributed": _flag, "timeout": seconds, "retries": _count,
    "pool": _name, "constant": _flag, "stamps": _flag,
}  # fmt: skip
