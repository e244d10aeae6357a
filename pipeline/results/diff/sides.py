"""The two sides of a comparison: each one run, or the runs of a sweep's point, which differ in their seed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.project.changes import between
from pipeline.project.presets import Change
from pipeline.results.snapshot import Snapshot, open_run, runs_of


@dataclass(frozen=True)
class Side:
    """Runs by what pairs them with those of the other side: their seed, if each has one of its own."""

    name: str
    runs: dict[object, Snapshot]

    @property
    def first(self) -> Snapshot:
        return next(iter(self.runs.values()))


Pair = tuple[Snapshot, Snapshot]


def side(root: Path, name: str) -> Side:
    """The side that a name stands for. ValueError for a name that means nothing."""
    runs = [open_run(root, run) for run in runs_of(root, name)]
    found = [seed_of(run.params) for run in runs]
    clear = None not in found and len(set(found)) == len(found)
    return Side(name, {found[k] if clear else (name, k): run for k, run in enumerate(runs)})


def seed_of(params: Mapping[str, Any]) -> object:
    """The value of all keys `seed` outside the section `generate`; None if they are not one."""
    found = set(seeds(params).values())
    return found.pop() if len(found) == 1 else None


def seeds(params: Mapping[str, Any]) -> dict[str, Any]:
    """The keys `seed` outside the section `generate`, dotted: what differs between the runs of a point."""
    return {key: value for key, value in _seeds(params, "") if not key.startswith("generate.")}


def _seeds(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _seeds(value, f"{prefix}{key}.")
        elif key == "seed":
            yield f"{prefix}{key}", value


def pair_of(a: Side, b: Side) -> Pair:
    """One run of each side: the first of equal seed, else the first of each."""
    shared = [seed for seed in a.runs if seed in b.runs]
    return (a.runs[shared[0]], b.runs[shared[0]]) if shared else (a.first, b.first)


def parameter_changes(a: Side, b: Side) -> list[Change]:
    """What differs in params.yaml; where a side has several runs, seeds do not count."""
    first, second = pair_of(a, b)
    several = len(a.runs) > 1 or len(b.runs) > 1
    ignored = {*seeds(first.params), *seeds(second.params)} if several else set()
    return [change for change in between(first.params, second.params) if change[0] not in ignored]
