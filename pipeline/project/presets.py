"""Presets: YAML files that are merged into params.yaml, whose comments stay.

A recipe, presets/NAME.yaml, sets every section but `dataset` and `generate`: what it does not name is as
in presets/demo.yaml, so the result never depends on what was there before. A data set,
presets/data/NAME.yaml, sets what it names and nothing else. What is learnt from, `dataset.annotations`, is
the recipe's.

A block is merged key by key. What is written in one line, a value, a [list] or a {mapping}, replaces the
old value whole: `options: {}` empties it.
"""

import copy
import difflib
import functools
import io
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter

from pipeline.project import schema
from pipeline.project.root import read_text, write_whole
from stages.common import stamps
from stages.common.params import check, check_yaml, problem_of
from stages.parameters.params import Parameters

Change = tuple[str, Any, Any]  # dotted key, old value, new value; None where there is none
BASE = "demo"  # the recipe that has every key
OF_DATA = ("generate", "dataset")  # sections that no recipe sets, but for one key
OF_RECIPE = {"dataset": "annotations"}
COLUMN = 24  # of comments in params.yaml


def names(root: Path) -> dict[str, str]:
    """The recipes, each with its first comment line."""
    return _titles(root / "presets")


def data_names(root: Path) -> dict[str, str]:
    """The same of the data sets."""
    return _titles(root / "presets" / "data")


def _titles(folder: Path) -> dict[str, str]:
    return {file.stem: _head(file)[0] for file in sorted(folder.glob("*.yaml"), key=lambda file: file.stem)}


def notes(root: Path, name: str) -> list[str]:
    """What the preset says of itself below its title: what it needs, and what it cannot do."""
    return _head(_file(root, name))[1:]


def _head(file: Path) -> list[str]:
    lines = itertools.takewhile(lambda line: line.startswith("#"), read_text(file, str(file)).splitlines())
    return [line.lstrip("# ") for line in lines] or [""]


def _file(root: Path, name: str) -> Path:
    recipes, sets = names(root), data_names(root)
    if name not in recipes and name not in sets:
        raise ValueError(
            f"there is no preset {name!r}; there are {', '.join(recipes)}; data sets: {', '.join(sets)}"
        )
    return root / "presets" / ("" if name in recipes else "data") / f"{name}.yaml"


def apply(root: Path, name: str) -> list[Change]:
    """Merge presets/NAME.yaml into params.yaml; nothing is written unless the result is valid."""
    values, changes = merge(copy.deepcopy(_read(root / "params.yaml")), whole(root, name))
    if schema.is_ours(stamps.reader(root)):  # of a worktree at another revision its own code judges
        check(Parameters, plain(values), f"params.yaml with preset {name}")
    if changes:
        write_whole(root / "params.yaml", dump(values))
    return changes


def differences(root: Path, name: str) -> list[Change]:
    """What the preset would change: (key, the value of params.yaml, the preset's)."""
    return compare(_read(root / "params.yaml"), whole(root, name))


def whole(root: Path, name: str) -> CommentedMap:
    """All that a preset sets: of a recipe what BASE has too."""
    new = own(root, name)
    if name in names(root):
        new = merge(copy.deepcopy(_read(root / "presets" / f"{BASE}.yaml")), new)[0]
    return new


def own(root: Path, name: str) -> CommentedMap:
    """What a preset's file names, and no more; to be looked at only."""
    file = _file(root, name)
    new = _read(file)
    if scalar := [section for section in OF_DATA if not isinstance(new.get(section, {}), dict)]:
        raise ValueError(f"{file}: {scalar[0]} is a section")
    touched = [section for section in OF_DATA if {*new.get(section, ())} - {OF_RECIPE.get(section)}]
    if touched and name in names(root):
        raise ValueError(f"{file}: a recipe sets no {', '.join(touched)}: that is for presets/data")
    return new


def set_values(root: Path, new: Mapping[str, Any]) -> list[Change]:
    """Set values of params.yaml by dotted key (`seeds.method`); comments stay.

    Raises ValueError for a key that is not there, naming the nearest. The values themselves are
    checked with all others, by the stage `parameters`.
    """
    path = root / "params.yaml"
    values = copy.deepcopy(_read(path))
    changes: list[Change] = []
    for key, value in new.items():
        place, last = place_of(values, key)
        if plain(place[last]) != value:
            changes += leaves(key, plain(place[last]), value)
            _put(place, last, value)
    if changes:
        write_whole(path, dump(values))
    return changes


def place_of(values: Mapping[str, Any], key: str) -> tuple[Any, str]:
    """The mapping that holds the key's last part."""
    *parents, last = key.split(".")
    place: Any = values
    for parent in parents:
        place = place.get(parent) if isinstance(place, dict) else None
    if not isinstance(place, dict) or last not in place:
        raise ValueError(unknown(key, dotted(plain(values))))
    return place, last


def unknown(key: str, known: list[str]) -> str:
    """What is wrong with a dotted key that is not there."""
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"params.yaml has no {key}" + (f"; did you mean {near[0]}?" if near else "")


def dotted(values: dict[str, Any], prefix: str = "") -> list[str]:
    """All dotted keys, those of sections included."""
    keys = []
    for name, value in values.items():
        keys.append(f"{prefix}{name}")
        keys += dotted(value, f"{prefix}{name}.") if isinstance(value, dict) else []
    return keys


def merge(values: CommentedMap, preset: CommentedMap) -> tuple[CommentedMap, list[Change]]:
    """`values` with the preset's in their place (changed in place), and what that changed."""
    changes = compare(values, preset)
    for place, key, _, new in list(_differing(values, preset)):
        _put(place, key, _without_comments(new))
    return values, changes


def compare(values: CommentedMap, preset: CommentedMap) -> list[Change]:
    """What `merge` would change."""
    changes: list[Change] = []
    for place, key, path, new in _differing(values, preset):
        changes += leaves(path, plain(place.get(key)), plain(new))
    return changes


def _differing(
    values: CommentedMap, preset: CommentedMap, prefix: str = ""
) -> Iterator[tuple[CommentedMap, str, str, Any]]:
    """Where the two differ: the mapping of `values`, the key in it, the dotted key, what the preset has."""
    for key, new in preset.items():
        old = values.get(key)
        block = isinstance(new, CommentedMap) and bool(new) and not new.fa.flow_style()
        if block and isinstance(old, CommentedMap):
            yield from _differing(old, new, f"{prefix}{key}.")
        elif key not in values or plain(old) != plain(new):
            yield values, key, f"{prefix}{key}", new


def _put(place: CommentedMap, key: str, value: Any) -> None:
    """Set a value. Its comment keeps its column; one that a long value had pushed comes back to COLUMN."""
    comment = (place.ca.items.get(key) or [None, None, None])[2]
    if comment is not None and not comment.value.startswith("\n"):
        indent = place.lc.col
        before, after = (indent + _width(key, each) + 2 for each in (place[key], value))
        column = comment.start_mark.column
        comment.start_mark.column = max(after, COLUMN if column == before > COLUMN else column)
    place[key] = value


def _width(key: str, value: Any) -> int:
    """Characters of the line `key: value`."""
    text = dump(CommentedMap({key: _without_comments(value)}))
    return len(text.partition("\n")[0])


def leaves(key: str, old: Any, new: Any) -> Iterator[Change]:
    """One change per leaf, so that a replaced mapping shows only what is different in it."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            if old.get(name) != new.get(name) or (name in old) != (name in new):
                yield from leaves(f"{key}.{name}", old.get(name), new.get(name))
    else:
        yield key, old, new


def plain(value: Any) -> Any:
    """Plain dicts, lists and numbers: the types that a schema accepts."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _without_comments(value: Any) -> Any:
    """The preset's comments say where a number is from; params.yaml has its own."""
    if isinstance(value, dict):
        copy = CommentedMap((key, _without_comments(item)) for key, item in value.items())
        copy.fa.set_flow_style()
        return copy
    if isinstance(value, list):
        items = CommentedSeq(_without_comments(item) for item in value)
        items.fa.set_flow_style()
        return items
    return value


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.Representer = _Representer
    return yaml


class _Representer(RoundTripRepresenter):
    """Writes None as `null`, as params.yaml does. A class: ruamel adds representers to the whole class."""

    def represent_none(self, data: None) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:null", "null")


_Representer.add_representer(type(None), _Representer.represent_none)


def _read(path: Path) -> CommentedMap:
    """The file's sections, to be looked at only: who changes them takes a copy."""
    return parsed(read_text(path, str(path)), str(path))


def parsed(text: str, where: str) -> CommentedMap:
    """The sections of a file's text, with comments; to be looked at only."""
    check_yaml(text, where)
    try:
        values = _parsed(text)
    except YAMLError as error:
        raise ValueError(f"{where} is not valid YAML: {problem_of(error, text)}") from None
    if not isinstance(values, CommentedMap):
        raise ValueError(f"{where} must hold sections")
    return values


@functools.lru_cache(maxsize=64)  # the page of a run compares with every preset
def _parsed(text: str) -> Any:
    return _yaml().load(text)


def dump(values: CommentedMap) -> str:
    text = io.StringIO()
    _yaml().dump(values, text)
    return text.getvalue()
