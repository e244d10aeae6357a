"""The page of a sweep: points, effects, best points, cost; each claim with the command that re-makes it."""

from pathlib import Path
from statistics import fmean
from typing import Any

from pipeline.project import words
from pipeline.project.root import write_whole
from pipeline.results import charts, noise, pages
from pipeline.sweep import bubbles, effects, summary
from pipeline.sweep.definition import folder
from pipeline.sweep.effects import Effect
from pipeline.sweep.grid import word
from pipeline.sweep.outcome import Outcome, Point

SIZE = (3.3, 2.1)  # inches of a chart
LETTERS = 42  # that stand below it beside each other


def write(root: Path, outcome: Outcome) -> None:
    write_whole(folder(root, outcome.sweep.name) / "index.html", render(outcome))


def render(outcome: Outcome) -> str:
    keys = summary.varying(outcome.sweep.points)
    found = [effects.effect(factor, outcome) for factor in effects.factors(outcome.sweep.points)]
    of_seeds = bubbles.found(outcome)
    return pages.render(
        "sweep.html",
        sweep=outcome.sweep,
        about=summary.about(outcome),
        rungs=outcome.rungs,
        keys=list(zip(keys, summary.short(keys), strict=True)),
        points=[_point(outcome, point) for point in outcome.points],
        explained=summary.explained(outcome),
        explained_note=summary.EXPLAINED,
        bubbles=[
            (bubbles.chart(rung, points), bubbles.says(points), bubbles.rows(points))
            for rung, points in of_seeds.items()
        ],
        effects=[_effect(effect, outcome.rungs) for effect in found],
        best=[_best(outcome, rung) for rung in outcome.rungs if outcome.best(rung)],
        equal=[rung for rung in outcome.rungs if outcome.ranked(rung) and not outcome.best(rung)],
        whole=all(point.finished for point in outcome.points),
        rows=outcome.rows,
        clock=words.clock,
    )


def diff(a: Point, b: Point) -> str:
    return f"wsss diff {a.name} {b.name}"


def _point(outcome: Outcome, point: Point) -> dict[str, Any]:
    first, *others = outcome.points
    other = first if point is not first else others[0] if others else None
    best = {rung: outcome.best(rung) for rung in outcome.rungs}
    return {
        "name": point.name,
        "values": [word(point.values[key]) for key in summary.varying(outcome.sweep.points)],
        "cells": [(summary.spread(point, rung), _mean(point, rung), point in best[rung]) for rung in best],
        "state": summary.state(point),
        "minutes": point.seconds / 60,
        "diff": diff(other, point) if other else "",
        "again": summary.again(outcome.sweep, point),
    }


def _mean(point: Point, rung: str) -> float | str:
    found = point.spread(rung)
    return "" if found is None else found[0]


def _effect(effect: Effect, rungs: list[str]) -> dict[str, Any]:
    return {
        "name": ", ".join(effect.factor.keys),
        "complete": effect.complete,
        "settings": effect.settings,
        "charts": [_chart(effect, rung) for rung in rungs if _moves(effect, rung)],
        "still": [rung for rung in rungs if not _moves(effect, rung) and _everywhere(effect, rung)],
        "levels": [_level(effect, n, rungs) for n in range(len(effect.levels))],
        "first": _label(effect.factor.values[0]),
    }


def _moves(effect: Effect, rung: str) -> bool:
    """Whether the rung is not the same at every value."""
    changes = [level.change[rung] for level in effect.levels if rung in level.change]
    return any(change.verdict != noise.EQUAL for change in changes)


def _everywhere(effect: Effect, rung: str) -> bool:
    """Whether every value has the rung."""
    return all(level.scores[rung] for level in effect.levels)


def _level(effect: Effect, n: int, rungs: list[str]) -> dict[str, Any]:
    level, first = effect.levels[n], effect.levels[0]
    pairs = list(zip(first.points, level.points, strict=True)) if n else []
    return {
        "value": _label(level.value),
        "cells": [(_level_mean(effect, n, rung), level.change.get(rung)) for rung in rungs],
        "pairs": [(diff(a, b), [_change(a, b, rung) for rung in rungs]) for a, b in pairs],
    }


def _change(a: Point, b: Point, rung: str) -> noise.Change | None:
    before, after = a.scores(rung), b.scores(rung)
    return noise.compare(before, after) if before and after else None


def _level_mean(effect: Effect, n: int, rung: str) -> str:
    values = list(effect.levels[n].scores[rung].values())
    return f"{fmean(values):.2f}" if values else ""


def _best(outcome: Outcome, rung: str) -> dict[str, Any]:
    """The best point of a rung, those equal to it, and how far the next one is behind."""
    point, *equal = outcome.best(rung)
    others = [other for _, other in outcome.ranked(rung)[1 + len(equal) :]]
    keys = summary.varying(outcome.sweep.points)
    named = zip(keys, summary.short(keys), strict=True)
    return {
        "rung": rung,
        "point": point.name,
        "equal": [other.name for other in equal],
        "values": ", ".join(f"{name} {word(point.values[key])}" for key, name in named),
        "miou": summary.spread(point, rung),
        "ahead": _change(others[0], point, rung) if others else None,
        "diff": diff(others[0], point) if others else "",
    }


def _label(value: tuple[Any, ...]) -> str:
    return ", ".join(word(part) for part in value)


def _chart(effect: Effect, rung: str) -> str:
    """The rung's mIoU at each value: the mean over seeds and settings, and a thin line per seed."""
    levels = [level for level in effect.levels if level.scores[rung]]
    places = range(len(levels))
    with charts.style():
        drawn = charts.figure(*SIZE)
        axes = drawn.subplots()
        for seed in levels[0].scores[rung] if len(levels[0].scores[rung]) > 1 else ():
            line = [level.scores[rung].get(seed, float("nan")) for level in levels]
            axes.plot(places, line, "-o", color=charts.COLOURS[4], alpha=0.6, linewidth=0.8, markersize=3)
        means = [fmean(level.scores[rung].values()) for level in levels]
        axes.plot(places, means, "-o", color=charts.COLOURS[0], linewidth=2, markersize=6)
        axes.set_title(f"{rung}, mIoU in %", fontsize=10, loc="left")
        names, what = ticks([level.value for level in levels])
        axes.set_xticks(places, names)
        axes.set_xlabel(what)
        axes.set_xlim(-0.4, len(levels) - 0.6)
        return charts.svg(drawn)


def ticks(values: list[tuple[Any, ...]]) -> tuple[list[str], str]:
    """The values as the chart has room for them, cut; where that makes two alike, their rows in the table.

    And what the axis is called then.
    """
    room = max(1, LETTERS // len(values))
    names = [", ".join(_keys(part) for part in value) for value in values]
    short = [name if len(name) <= room else f"{name[: room - 1]}…" for name in names]
    if len(set(short)) == len(short):
        return short, ""
    return [str(n) for n in range(1, len(values) + 1)], "row of the table"


def _keys(part: Any) -> str:
    """A map by its keys alone: the rest of it is in the table."""
    return " + ".join(map(str, part)) if isinstance(part, dict) and part else word(part)
