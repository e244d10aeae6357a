"""What dvc.yaml says of each stage of a run, with its templates filled in from params.yaml."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.results.snapshot import TEMPLATE, resolved
from stages.common.params import fill, value_of


@dataclass(frozen=True)
class Declared:
    cmd: str
    deps: list[str]
    keys: list[str]  # of params.yaml
    outs: list[str]  # metrics and plots among them


def names(stages: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[str]:
    """The stages, those of a foreach one by one."""
    for name, entry in stages.items():
        each = resolved(entry.get("foreach"), params) if isinstance(entry, Mapping) else None
        yield from [f"{name}@{key}" for key in each] if isinstance(each, dict | list) else [name]


def of(stages: Mapping[str, Any], stage: str, params: Mapping[str, Any]) -> Declared:
    """Raises ValueError for what is not understood: DVC's templates can do more than ours."""
    name, _, key = stage.partition("@")
    entry, context = stages.get(name), dict(params)
    each = resolved(entry.get("foreach"), params) if isinstance(entry, dict) else None
    if entry and key and isinstance(each, dict | list):
        context |= {"key": key, "item": each.get(key) if isinstance(each, dict) else key}
        entry = entry.get("do")
    if not isinstance(entry, dict) or not isinstance(entry.get("cmd"), str) or "wdir" in entry:
        raise ValueError(f"{stage} cannot be read")
    outs = [out for kind in ("outs", "metrics", "plots") for out in entry.get(kind) or ()]
    return Declared(
        _filled(entry["cmd"], context),
        [posixpath.normpath(_filled(path, context)) for path in entry.get("deps") or ()],
        [_filled(param, context) for param in entry.get("params") or () if isinstance(param, str)],
        [posixpath.normpath(_filled(path, context)) for out in outs for path in _paths(out)],
    )


def is_constant(stage: Any) -> bool:
    """Whether it is a check: what it writes never depends on what it reads."""
    return meta(stage).get("constant") is True


def meta(stage: Any) -> Mapping[str, Any]:
    entry = stage.get("do", stage) if isinstance(stage, Mapping) else {}
    found = entry.get("meta") if isinstance(entry, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _paths(out: Any) -> list[str]:
    """An output is a path, or one with settings."""
    return [str(path) for path in out] if isinstance(out, Mapping) else [str(out)]


def _filled(text: Any, context: dict[str, Any]) -> str:
    for template in TEMPLATE.finditer(text):
        if not isinstance(value_of(context, template[1]), str):
            raise ValueError(f"{template[0]} is no text: DVC has its own way to write it")
    return fill(text, context)
