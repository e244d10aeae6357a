"""A row as a point of a sweep: what it sets otherwise than a commit's params.yaml; all checked at first."""

import copy
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.engine import needs
from pipeline.ledger.rows import FOLDER, PLAIN, SETS, Row, Set
from pipeline.project import git, gpus, keys, presets
from pipeline.results.snapshot import resolved
from pipeline.sweep import definition
from pipeline.sweep.grid import Values
from stages.common.params import parse_yaml

Recipe = Callable[[str], dict[str, Any]]


class Point:
    """A row on a set."""

    def __init__(
        self, kind: str, row: Row, params: dict[str, Any], base: Mapping[str, Any],
        without: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.kind, self.row, self.params = kind, row, params
        self.overrides = overrides(base, params)
        rungs = definition.value_at(params, "evaluation.rungs")
        rungs = rungs if isinstance(rungs, Mapping) else {}  # the schema refuses others
        asked = row.to or [f"evaluation@{rung}" for rung in rungs]
        self.to = tuple(sorted(stage for stage in asked if stage not in without))
        self.left_out = [stage for stage in asked if stage in without]

    @property
    def is_plain(self) -> bool:
        return self.kind == PLAIN


def make(root: Path, revision: str, kinds: Mapping[str, list[Row]], name: str, chosen: Set) -> list[Point]:
    """The rows of a set as points. ValueError with all that is wrong with them, a line each."""
    base = definition.base_values(root, revision)
    dvc = parse_yaml(git.run(root, "show", f"{revision}:./dvc.yaml"), "dvc.yaml")
    stages = keys.stages(dvc, f"dvc.yaml of {revision[:10]}")
    text = git.run(root, "show", f"{revision}:./params.yaml")
    judged = definition.is_judged(root, revision)
    _check_set(root, name, chosen)
    recipe, seeds = recipes(root, text, chosen), {*definition.seed_keys(base)}
    points: list[Point] = []
    problems: dict[str, list[str]] = {}  # the rows that have each
    for kind, rows in kinds.items():
        for row in rows:
            try:
                without = chosen.without.get(kind, ())
                point = Point(kind, row, params(recipe, chosen, row, name), base, without)
                lines = list(definition.refused(base, point.overrides)) if judged else []
                set_here = {**chosen.changes, **row.changes, **row.on.get(name, {})}
                lines += [f"{key} is set by --seeds: leave it out" for key in set_here if key in seeds]
                lines += _ends(stages, point)
                points.append(point)
            except ValueError as error:
                lines = [str(error)]
            for line in lines:
                problems.setdefault(line, []).append(f"{FOLDER}/{kind}.yaml, {row.name}")
    for kind, stage in _idle(chosen, points):
        problems[f"no row of {kind} ends at {stage}"] = [f"{FOLDER}/{SETS}.yaml, {name}.without"]
    if problems:
        told = [f"{_first(where)}: {line}" for line, where in problems.items()]
        raise ValueError("\n  ".join([f"{FOLDER}: {len(told)} problem(s)", *told]))
    return points


def _idle(chosen: Set, points: Sequence[Point]) -> Iterator[tuple[str, str]]:
    """Kinds and stages that a set leaves out of them to no effect."""
    for kind, stages in chosen.without.items():
        found = {stage for point in points if point.kind == kind for stage in point.left_out}
        yield from ((kind, stage) for stage in stages if stage not in found)


def _check_set(root: Path, name: str, chosen: Set) -> None:
    """ValueError for presets that are not there, and for those of the other kind."""
    of_kind = {
        "pictures": (chosen.pictures, presets.data_names(root)),
        "recipe": (chosen.recipe, presets.names(root)),
    }
    for key, (preset, known) in of_kind.items():
        if preset not in known:
            raise ValueError(f"{FOLDER}/{SETS}.yaml, {name}.{key}: {preset} is none of {', '.join(known)}")


def _first(where: list[str]) -> str:
    return where[0] + (f", and {len(where) - 1} more" if len(where) > 1 else "")


def recipes(root: Path, text: str, chosen: Set) -> Recipe:
    """The commit's parameters with the set's pictures and a recipe, by the preset's name; each made once."""

    @functools.cache
    def of(preset: str) -> dict[str, Any]:
        if preset in presets.data_names(root):
            raise ValueError(f"preset {preset} is of pictures, no recipe")
        values = copy.deepcopy(presets.parsed(text, "params.yaml"))
        for each in (chosen.pictures, preset):
            presets.merge(values, presets.whole(root, each))
        found: dict[str, Any] = presets.plain(values)
        return found

    return of


def params(recipe: Recipe, chosen: Set, row: Row, name: str) -> dict[str, Any]:
    """The row's recipe with the changes of the set and its own."""
    values = copy.deepcopy(recipe(row.preset or chosen.recipe))
    for changes in (chosen.changes, row.changes, row.on.get(name, {})):
        for key, value in changes.items():
            place, last = presets.place_of(values, key)
            place[last] = copy.deepcopy(value)  # a mapping replaces the old one
    return values


def overrides(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Values:
    """What makes `new` of `old`, by dotted key; a mapping with other keys is set whole."""
    found: Values = {}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping) and {*value} == {*before} and value:
            found |= overrides(before, value, f"{prefix}{key}.")
        elif key not in old or before != value:
            found[f"{prefix}{key}"] = value
    return found


def _ends(stages: Mapping[str, Any], point: Point) -> Iterator[str]:
    """What is wrong with the stages that a row ends at."""
    if not point.to:
        yield f"it ends nowhere: {SETS}.yaml leaves out all of its stages"
    for stage in point.to:
        name, _, item = stage.partition("@")
        entry = stages.get(name)
        each = resolved(entry["foreach"], point.params) if entry and "foreach" in entry else None
        if each is not None and not isinstance(each, Mapping | list):
            yield f"its recipe has {each!r} where the names of {name}@... stand"
            continue
        known = {str(key) for key in each} if each is not None else {""}
        if entry is None or item not in known:
            shown = ", ".join(f"{name}@{key}" for key in sorted(known)) if entry and each else ""
            yield f"its recipe has no stage {stage}" + (f"; it has {shown}" if shown else "")


def missing(root: Path, point: Point) -> list[str]:
    """What this machine lacks for the row, a line each; nothing: it can run."""
    lines = ["needs a GPU, and this machine has none"] if point.row.needs and not gpus.devices() else []
    made = definition.value_at(point.params, "generate.of")
    made = made if isinstance(made, list) else []
    names = {"dataset.name": definition.value_at(point.params, "dataset.name")}
    for key in ("pseudo_labels.regions", "saliency.maps"):
        given = definition.value_at(point.params, key)
        if isinstance(given, str) and given.startswith("raw/"):
            names[key] = given.removeprefix("raw/")
    for key, name in names.items():
        if name and name not in made and not (root / "data" / "raw" / str(name)).exists():
            lines.append(f"{key} {name} is not there: `wsss link {name} PATH`")
    return [*lines, *needs.absent(point.params)]
