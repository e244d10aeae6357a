"""What a parameter does, against numbers worked out by hand."""

import pytest

from pipeline.results import noise
from pipeline.sweep import effects
from pipeline.sweep.effects import Factor
from tests.pipeline.sweep.conftest import outcome

KEYS = ("seeds.method", "beta")


def test_what_varies():
    points = [{"a": a, "b": a * 2, "c": c, "d": 5} for a in (1, 2) for c in ("x", [1])]
    assert effects.factors(points) == [Factor(("a", "b"), ((1, 2), (2, 4))), Factor(("c",), (("x",), ([1],)))]
    assert effects.factors(points[:1]) == effects.factors([]) == []


def test_values_of_other_types_are_other_values():
    assert effects.factors([{"a": 1}, {"a": True}, {"a": "1"}]) == [Factor(("a",), ((1,), (True,), ("1",)))]


GRID = {  # two seeds: method x beta
    ("cam", 4): {"seeds": [40.0, 42.0], "walk": [60.0, 61.0]},
    ("cam", 8): {"seeds": [40.0, 42.0], "walk": [61.0, 63.0]},
    ("vgatt", 4): {"seeds": [50.0, 51.0], "walk": [62.0, 65.0]},
    ("vgatt", 8): {"seeds": [50.0, 51.0], "walk": [65.0, 69.0]},
}


def test_a_full_grid():
    """walk, beta 8 - 4: seed 0 (61+65)/2 - (60+62)/2 = 2, seed 1 (63+69)/2 - (61+65)/2 = 3: mean 2.5."""
    found = outcome(GRID, KEYS, 2)
    method, beta = (effects.effect(factor, found) for factor in effects.factors(found.sweep.points))
    assert (beta.settings, beta.complete) == (2, 2)
    four, eight = beta.levels
    assert (four.value, eight.value, four.change) == ((4,), (8,), {})
    assert four.scores["walk"] == {0: 61.0, 1: 63.0} and eight.scores["walk"] == {0: 63.0, 1: 66.0}
    assert [point.name for point in four.points] == ["s-01", "s-03"]
    assert [point.name for point in eight.points] == ["s-02", "s-04"]
    change = eight.change["walk"]
    assert (change.change, change.rule) == (2.5, "paired")
    # t(0.975, 1) = 12.7062, sd of (2, 3) = 0.7071: 12.7062 * 0.7071 / sqrt(2) = 6.3531
    assert change.margin == pytest.approx(6.3531, abs=1e-4) and change.verdict == noise.NOISE
    assert eight.change["seeds"].verdict == noise.EQUAL
    # seeds, vgatt - cam: 50 - 40 = 10 and 51 - 42 = 9
    assert method.levels[1].change["seeds"].change == 9.5
    assert method.levels[1].change["seeds"].verdict == noise.BEYOND  # margin 6.3531


def test_a_change_is_the_mean_of_its_pairs():
    """As the page says beside the pairs."""
    found = outcome(GRID, KEYS, 2)
    for factor in effects.factors(found.sweep.points):
        first, second = effects.effect(factor, found).levels
        for rung in found.rungs:
            pairs = [
                noise.compare(a.scores(rung), b.scores(rung)).change
                for a, b in zip(first.points, second.points, strict=True)
            ]
            assert second.change[rung].change == pytest.approx(sum(pairs) / len(pairs))


def test_only_complete_settings_count():
    found = outcome(GRID | {("vgatt", 8): {"seeds": [50.0, None], "walk": [65.0, None]}}, KEYS, 2)
    method, beta = (effects.effect(factor, found) for factor in effects.factors(found.sweep.points))
    assert (beta.settings, beta.complete, method.complete) == (2, 1, 1)
    assert [point.name for level in beta.levels for point in level.points] == ["s-01", "s-02"]
    assert beta.levels[1].change["walk"].change == 1.5  # of cam alone: 1 and 2
    assert [point.name for level in method.levels for point in level.points] == ["s-01", "s-03"]


def test_none_is_complete():
    lists = {("cam", 4): {"seeds": [40.0]}, ("vgatt", 8): {"seeds": [None]}, ("cam", 16): {"seeds": [41.0]}}
    method, beta = (
        effects.effect(factor, outcome(lists, KEYS, None)) for factor in effects.factors(
            outcome(lists, KEYS, None).sweep.points)
    )  # fmt: skip
    assert (method.levels, method.complete, method.settings) == ((), 0, 3)
    assert (beta.levels, beta.complete, beta.settings) == ((), 0, 2)


def test_without_seeds_nobody_knows_the_noise():
    single = {key: {rung: values[:1] for rung, values in rungs.items()} for key, rungs in GRID.items()}
    found = outcome(single, KEYS, None)
    level = effects.effect(effects.factors(found.sweep.points)[1], found).levels[1]
    assert level.scores["walk"] == {None: 63.0}
    assert (level.change["walk"].change, level.change["walk"].verdict) == (2.0, noise.UNKNOWN)


def test_the_best_points():
    """Equal ones share the place; where all are equal none is best; a point that lacks a run is out."""
    found = outcome(GRID | {("cam", 8): {"seeds": [90.0, None], "walk": [90.0, None]}}, KEYS, 2)
    assert [point.name for _, point in found.ranked("walk")] == ["s-04", "s-03", "s-01"]
    assert [point.name for point in found.best("walk")] == ["s-04"]
    assert [point.name for point in found.best("seeds")] == ["s-03", "s-04"]
    same = outcome({("cam", 4): {"seeds": [40.0]}, ("cam", 8): {"seeds": [40.0]}}, KEYS, None)
    assert same.best("seeds") == [] and len(same.ranked("seeds")) == 2
    single = outcome({("cam", 4): {"seeds": [40.0]}}, KEYS, None)
    assert [point.name for point in single.best("seeds")] == ["s-01"]
