"""Keys of what a run's results are made of: equal keys, equal commands, parameters and code.

Two commits may differ in much that a run's stages do not read. So the keys are made of those stages alone: of
what dvc.yaml says of them, of the values that they read, and of the files of code that they run.
"""

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.project import git
from pipeline.results import declared
from pipeline.results.declared import Declared
from pipeline.results.diff.parting import is_stamp
from stages.common import stamps
from stages.common.params import parse_yaml, value_of

GRAPH, CODE = "dvc.yaml", "stages"
DIGITS = 16  # of a key: one of 2^64


@dataclass(frozen=True)
class Keys:
    asked: str  # of commands and parameters
    work: str  # of these and of the code that carries them out


def keys(root: Path, commit: str, params: Mapping[str, Any], ends: Sequence[str]) -> Keys:
    """Of the stages that `ends` stem from, as a commit has them, with the values of `params`.

    Left out are checks, whose output never changes, and what lies in data/ and no stage makes.
    """
    asked, work = dict[str, Any](), dict[str, Any]()
    try:
        raw = _stages(root, commit)
        stages = {name: declared.of(raw, name, params) for name in declared.names(raw, params)}
        for name in _above(stages, raw, ends):
            one = stages.get(name)
            asked[name] = _asked(params, one) if one else ["not there"]
            work[name] = asked[name] + (_code(root, commit, params, one) if one else [])
    except ValueError:  # a dvc.yaml that only DVC understands: then all of it counts
        asked = {"params": params}
        work = asked | {"tree": git.run(root, "ls-tree", commit, "--", GRAPH, CODE)}
    return Keys(_digest([asked, sorted(ends)]), _digest([work, sorted(ends)]))


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _above(stages: Mapping[str, Declared], raw: Mapping[str, Any], ends: Sequence[str]) -> Iterator[str]:
    """The ends, and all that they stem from, save checks and what writes stamps."""
    makers = {out: name for name, one in stages.items() for out in one.outs}
    seen, waiting = set[str](), list(ends)
    while waiting:
        name = waiting.pop()
        meta = declared.meta(raw.get(name.partition("@")[0]))
        if name in seen or meta.get("constant") or meta.get("stamps"):
            continue
        seen.add(name)
        yield name
        deps = stages[name].deps if name in stages else []
        waiting += [maker for dep in deps if (maker := _maker(makers, dep))]


def _maker(makers: Mapping[str, str], path: str) -> str | None:
    """The stage that makes a path, or what it lies in."""
    parts = PurePosixPath(path)
    return next((makers[str(one)] for one in (parts, *parts.parents) if str(one) in makers), None)


def _asked(params: Mapping[str, Any], one: Declared) -> list[Any]:
    return [one.cmd, sorted(one.deps), {name: value_of(params, name) for name in one.keys}]


def _code(root: Path, commit: str, params: Mapping[str, Any], one: Declared) -> list[Any]:
    code = {path: _stamp(root, commit, path, params) for path in one.deps if is_stamp(path)}
    named = _files(one)
    files = git.contents(root, commit, named) if named else {}
    return [code, {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}]


def _files(one: Declared) -> list[str]:
    """Files of code that a stage names itself."""
    return [path for path in one.deps if not path.startswith(("data/", "/", ".."))]


def _stamp(root: Path, commit: str, path: str, params: Mapping[str, Any]) -> str:
    return stamps.stamp(PurePosixPath(path).name, params, _reader(root, commit))


@functools.lru_cache(maxsize=8)
def _reader(root: Path, commit: str) -> stamps.Read:
    return git.reader(root, commit)


@functools.lru_cache(maxsize=8)
def _stages(root: Path, commit: str) -> dict[str, Any]:
    found: dict[str, Any] = parse_yaml(git.run(root, "show", f"{commit}:./{GRAPH}"), GRAPH)["stages"]
    return found
