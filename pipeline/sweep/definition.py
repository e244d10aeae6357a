"""What a sweep is: its points, its seeds and the commit it runs. Kept, so that it goes on where it was."""

import copy
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.project import git, schema
from pipeline.project.root import write_whole
from pipeline.sweep.grid import Values, words
from stages.common.params import ParameterError, check, parse_yaml, read_yaml
from stages.parameters.params import Parameters

# No matter of chance between runs: the data set, and which episodes ask for a class.
UNSEEDED = ("generate", "fold_masks")
SUFFIX = r"-(?:\d{2,}(?:-s\d+)?|plan)"  # of a sweep's worktrees, behind its name


@dataclass(frozen=True)
class Trial:
    """One run of a sweep: a point, with a seed if it has some. Its branch is wsss/run/NAME."""

    name: str
    point: str
    seed: int | None
    overrides: Values
    to: tuple[str, ...] = ()  # the stages that it makes, with what they need; none means all


@dataclass(frozen=True)
class Sweep:
    name: str
    revision: str  # a commit
    seeds: int | None
    points: tuple[Values, ...]  # all with the same keys
    started: str  # ISO time: what the ledger has from before is of another sweep
    to: tuple[str, ...] = ()  # the stages that each run makes, with what they need; none means all

    def same_as(self, other: "Sweep") -> bool:
        mine, theirs = ((s.revision, s.seeds, s.points, s.to) for s in (self, other))
        return mine == theirs

    def point(self, index: int) -> str:
        return f"{self.name}-{index + 1:02}"

    def ends(self, index: int) -> tuple[str, ...]:
        """The stages at which a point's runs end."""
        return self.to

    def trials(self, base: Mapping[str, Any]) -> list[Trial]:
        """All runs, point by point; `base` is the commit's params.yaml."""
        keys = seed_keys(base)
        found = []
        for index, values in enumerate(self.points):
            point = self.point(index)
            for seed in range(self.seeds) if self.seeds else [None]:
                seeded = values if seed is None else {**values, **dict.fromkeys(keys, seed)}
                name = point if seed is None else f"{point}-s{seed}"
                found.append(Trial(name, point, seed, seeded, self.ends(index)))
        return found


def folder(root: Path, name: str) -> Path:
    return root / "reports" / "sweeps" / name


def default_name(revision: str, points: list[Values], seeds: int | None, to: Sequence[str]) -> str:
    """The same command at the same commit is the same sweep."""
    text = json.dumps([revision, points, seeds, *([list(to)] if to else [])], sort_keys=True)
    return f"grid-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def write(root: Path, sweep: Sweep) -> None:
    """Keep it in reports/sweeps/NAME/sweep.yaml."""
    place = folder(root, sweep.name)
    place.mkdir(parents=True, exist_ok=True)
    values = {**vars(sweep), "points": [dict(values) for values in sweep.points], "to": list(sweep.to)}
    text = io.StringIO(f"# wsss sweep --resume {sweep.name} goes on with it\n")
    text.seek(0, io.SEEK_END)
    yaml = YAML()  # keeps the order of keys
    yaml.default_flow_style = None
    yaml.dump(values, text)
    write_whole(place / "sweep.yaml", text.getvalue())


def read(root: Path, name: str) -> Sweep:
    """The sweep of that name. ValueError if there is none, or if its file is spoilt."""
    path = folder(root, name) / "sweep.yaml"
    if not path.is_file():
        known = ", ".join(names(root)) or "none"
        raise ValueError(f"there is no sweep {name!r} (no {path.relative_to(root)}); there are: {known}")
    try:
        values = read_yaml(path)
        return Sweep(**{**values, "points": tuple(values["points"]), "to": tuple(values.get("to", ()))})
    except (ParameterError, KeyError, TypeError) as error:
        where = path.relative_to(root)
        raise ValueError(f"{where} is damaged: {error}; remove it and begin the sweep anew") from None


def names(root: Path) -> list[str]:
    return sorted(path.parent.name for path in (root / "reports" / "sweeps").glob("*/sweep.yaml"))


def sweep_of(root: Path, worktree: str) -> str | None:
    """The sweep that a worktree belongs to, by its name."""
    return next((name for name in names(root) if re.fullmatch(re.escape(name) + SUFFIX, worktree)), None)


def base_values(root: Path, revision: str) -> dict[str, Any]:
    """A commit's params.yaml. ValueError if it has none."""
    try:
        text = git.run(root, "show", f"{revision}:./params.yaml")
    except ValueError:
        raise ValueError(f"revision {revision[:10]} has no params.yaml: commit it first") from None
    values: dict[str, Any] = parse_yaml(text, f"params.yaml of {revision[:10]}")
    return values


def with_values(base: Mapping[str, Any], overrides: Values) -> dict[str, Any]:
    """`base` with values set by dotted key, which must be there."""
    values: dict[str, Any] = copy.deepcopy(dict(base))
    for key, value in overrides.items():
        *parents, last = key.split(".")
        place = values
        for parent in parents:
            place = place[parent]
        place[last] = value
    return values


def value_at(values: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key; None if it is not there."""
    found: Any = values
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def seed_keys(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The keys called `seed`, but not of UNSEEDED."""
    found = []
    for key, value in values.items():
        if isinstance(value, Mapping) and prefix + key not in UNSEEDED:
            found += seed_keys(value, f"{prefix}{key}.")
        elif key == "seed":
            found.append(f"{prefix}{key}")
    return found


def problems(root: Path, sweep: Sweep, base: Mapping[str, Any]) -> list[str]:
    """What the schema refuses of the points, a line each with the point; nothing if all is well.

    Nothing of a commit with another schema either: its own code judges each run when that is planned.
    """
    if not is_judged(root, sweep.revision):
        return []
    return [f"{words(values)}: {line}" for values in sweep.points for line in refused(base, values)]


def is_judged(root: Path, revision: str) -> bool:
    """Whether a commit's parameters are checked, by the schema of this process."""
    if "stages.parameters" not in git.run(root, "show", f"{revision}:./dvc.yaml"):
        return False
    return schema.is_ours(git.reader(root, revision))


def refused(base: Mapping[str, Any], values: Values) -> Iterator[str]:
    """What the schema has against a point, a line each."""
    try:
        check(Parameters, with_values(base, values), "")
    except ParameterError as error:
        yield from (line.strip() for line in str(error).splitlines()[1:])
