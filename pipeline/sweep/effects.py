"""What each parameter of a sweep does to each rung: means over all other settings, and whether it is noise.

Only settings of the others count at which every value of the parameter has all its runs finished, so that
the change from one value to another is also the mean of the changes between pairs of points that differ in
nothing else: each pair is a `wsss diff`.
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.results import noise
from pipeline.sweep.grid import Values
from pipeline.sweep.outcome import Outcome, Point

Scores = Mapping[object, float]  # mIoU in percent by seed


@dataclass(frozen=True)
class Factor:
    """Keys that only ever change together, and their values, in the order of the sweep."""

    keys: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Level:
    """One value of a factor."""

    value: tuple[Any, ...]
    points: tuple[Point, ...]  # one per setting of all other parameters, in the order of the first level's
    scores: Mapping[str, Scores]  # by rung: means over the settings
    change: Mapping[str, noise.Change]  # by rung, against the first level


@dataclass(frozen=True)
class Effect:
    factor: Factor
    levels: tuple[Level, ...]  # empty if no setting is complete
    settings: int  # of the other parameters
    complete: int  # those of them that count


def factors(points: Sequence[Values]) -> list[Factor]:
    """The parameters that vary. Keys that split the points in the same way are one."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for key in points[0] if points else ():
        texts = [json.dumps(values[key]) for values in points]
        groups.setdefault(tuple(texts.index(text) for text in texts), []).append(key)
    found = []
    for split, keys in groups.items():
        if len(set(split)) > 1:
            firsts = sorted(set(split))
            found.append(Factor(tuple(keys), tuple(_at(points[first], keys) for first in firsts)))
    return found


def _at(values: Values, keys: Sequence[str]) -> tuple[Any, ...]:
    return tuple(values[key] for key in keys)


def effect(factor: Factor, outcome: Outcome) -> Effect:
    """What `factor` does, over the complete settings of all others."""
    settings: dict[str, dict[int, Point]] = {}
    for point in outcome.points:
        rest = {key: value for key, value in point.values.items() if key not in factor.keys}
        level = factor.values.index(_at(point.values, factor.keys))
        settings.setdefault(json.dumps(rest, sort_keys=True), {})[level] = point
    counted = [
        levels
        for levels in settings.values()
        if len(levels) == len(factor.values) and all(point.finished for point in levels.values())
    ]
    if not counted:
        return Effect(factor, (), len(settings), 0)
    points = [tuple(levels[index] for levels in counted) for index in range(len(factor.values))]
    scores = [{rung: _means(some, rung) for rung in outcome.rungs} for some in points]
    levels = [
        Level(value, points[n], scores[n], _changes(scores[0], scores[n]) if n else {})
        for n, value in enumerate(factor.values)
    ]
    return Effect(factor, tuple(levels), len(settings), len(counted))


def _means(points: Sequence[Point], rung: str) -> dict[object, float]:
    """By seed, over the points; of a rung that some run lacks, over the seeds that all have."""
    scores = [point.scores(rung) for point in points]
    seeds = [seed for seed in scores[0] if all(seed in some for some in scores)]
    return {seed: statistics.fmean(some[seed] for some in scores) for seed in seeds}


def _changes(a: Mapping[str, Scores], b: Mapping[str, Scores]) -> dict[str, noise.Change]:
    return {rung: noise.compare(a[rung], b[rung]) for rung in a if a[rung] and b[rung]}
