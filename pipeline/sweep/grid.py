"""From the words of a command line, or a file, to points: sets of values by dotted key of params.yaml."""

import csv
import difflib
import itertools
import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from pipeline.project.root import read_text
from stages.common.params import check_yaml

Values = dict[str, Any]  # by dotted key
Axis = list[Values]  # what may stand in for each other

FORM = "KEY=VALUE,VALUE or KEY,KEY=VALUE,VALUE;VALUE,VALUE"


def points(texts: Iterable[str], file: Path | None, known: Sequence[str]) -> list[Values]:
    """The grid: each row of the file, if there is one, with each combination of the axes.

    `known` are the dotted keys that there are. Raises ValueError with all that is wrong, a line each.
    """
    reads = [partial(axis, text, known) for text in texts]
    reads += [partial(table, file, known)] if file else []
    problems: list[str] = []
    axes: list[Axis] = []
    for read in reads:
        try:
            axes.append(read())
        except ValueError as error:
            problems.append(str(error))
    keys = [key for found in axes for key in {key: None for values in found for key in values}]
    problems += [f"{key}: given twice" for key in dict.fromkeys(keys) if keys.count(key) > 1]
    if problems:
        raise ValueError("\n".join(problems))
    if not axes:
        raise ValueError(f"nothing to sweep: give {FORM}, or --from FILE")
    return unique(_merged(chosen) for chosen in itertools.product(*axes))


def axis(text: str, known: Sequence[str]) -> Axis:
    """`seeds.method=cam,vgatt`: each value alone. `a,b=1,x;2,y`: values that go together, separated by `;`.

    Values are YAML, so `[0.5, 1.0]` is one value.
    """
    names, equals, rest = text.partition("=")
    keys = [full_key(name.strip(), known) for name in names.split(",")]
    if not equals or not rest.strip():
        raise ValueError(f"{text!r}: write {FORM}")
    if len(keys) == 1:
        return [{keys[0]: value} for value in _sequence(rest, text)]
    if len(set(keys)) < len(keys):
        raise ValueError(f"{text!r}: a key is given twice")
    rows = [_sequence(part, text) for part in rest.split(";")]
    if wrong := [row for row in rows if len(row) != len(keys)]:
        raise ValueError(f"{text!r}: {len(keys)} keys, but {len(wrong[0])} values in {wrong[0]}")
    return [dict(zip(keys, row, strict=True)) for row in rows]


def _sequence(text: str, where: str) -> list[Any]:
    values = _yaml(f"[{text}]", where)
    if not values:
        raise ValueError(f"{where!r}: a value is missing")
    return list(values)


def _yaml(text: str, where: str) -> Any:
    try:
        check_yaml(text, repr(where[:60]))
        return YAML(typ="safe").load(text)
    except YAMLError as error:
        problem = getattr(error, "problem", None) or "no YAML"
        raise ValueError(f"{where!r} is not valid YAML: {problem}") from None


def table(path: Path, known: Sequence[str]) -> Axis:
    """A point per row of a CSV, whose columns are keys, or per item of a YAML list, else ValueError.

    A cell is YAML; an empty one leaves the parameter as it is.
    """
    if path.suffix not in (".csv", ".yaml", ".yml"):
        raise ValueError(f"{path}: must be a .csv or a .yaml file")
    rows = _csv(path) if path.suffix == ".csv" else _list(path)
    found: Axis = []
    for n, row in enumerate(rows, 1):
        try:
            found.append({full_key(str(key), known): value for key, value in row.items()})
        except ValueError as error:
            raise ValueError(f"{path}, point {n}: {error}") from None
    if not any(found):
        raise ValueError(f"{path}: holds no points")
    keys = dict.fromkeys(key for row in found for key in row)
    return [{key: row[key] for key in keys if key in row} for row in found]


def _csv(path: Path) -> list[Values]:
    rows = []
    with path.open(newline="") as file:
        for n, row in enumerate(csv.DictReader(file), 2):
            if None in row or None in row.values():
                raise ValueError(f"{path}, line {n}: as many cells as the header has, please")
            rows.append({key: _yaml(cell, cell) for key, cell in row.items() if cell.strip()})
    return rows


def _list(path: Path) -> list[Values]:
    rows = _yaml(read_text(path, str(path)), str(path))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path}: must be a list of mappings, as - {{seeds.method: cam}}")
    return rows


def full_key(key: str, known: Sequence[str]) -> str:
    """The key that is meant: parts may be left out of it, but not the last, while only one fits."""
    parameters = [name for name in known if "." in name]  # a section as a whole is none
    if key in parameters:
        return key
    fitting = [name for name in parameters if _abbreviates(key.split("."), name.split("."))]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ValueError(f"{key} may mean {', '.join(fitting)}: write one of them")
    near = difflib.get_close_matches(key, parameters, n=3, cutoff=0.5)
    raise ValueError(f"params.yaml has no {key}" + (f"; did you mean {', '.join(near)}?" if near else ""))


def _abbreviates(parts: list[str], whole: list[str]) -> bool:
    rest = iter(whole)
    return parts[-1] == whole[-1] and all(part in rest for part in parts)


def _merged(chosen: Iterable[Values]) -> Values:
    return {key: value for values in chosen for key, value in values.items()}


def unique(found: Iterable[Values]) -> list[Values]:
    """The points as they are. ValueError if two are equal."""
    seen: dict[str, Values] = {}
    for values in found:
        text = json.dumps(values, sort_keys=True)
        if text in seen:
            raise ValueError(f"twice the same point: {words(values)}")
        seen[text] = values
    return list(seen.values())


def words(values: Values) -> str:
    """As the command line takes them: `seeds.method=cam pseudo_labels.random_walk.beta=4`."""
    return " ".join(f"{key}={word(value)}" for key, value in values.items())


def word(value: Any) -> str:
    """A value that `axis` reads as the same one."""
    if isinstance(value, str) and value and not set(value) & set(",;[]{}") and _plain(value):
        return value
    return json.dumps(value)


def _plain(text: str) -> bool:
    try:
        return bool(_yaml(f"[{text}]", text) == [text])
    except ValueError:
        return False
