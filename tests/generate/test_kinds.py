"""How often the classes come, and which come together."""

import numpy as np
import pytest

from stages.generate.kinds import paired, rarer, shares
from tests.generate.test_scene import scenes


def test_shares_fall_by_a_like_factor() -> None:
    np.testing.assert_allclose(shares(4, 8), [1, 0.5, 0.25, 0.125])
    assert shares(3, 1).tolist() == [1, 1, 1] and shares(1, 1).tolist() == [1]
    np.testing.assert_allclose(shares(2, 8), [1, 0.125])


def test_of_classes_drawn_alike_the_last_comes_once_in_nine() -> None:
    """3 classes, 9 : 3 : 1, of 13 draws each. The scatter of 20,000 is below half a percent."""
    rng = np.random.default_rng(0)
    found = [rarer(rng, int(kind), 3, 9) for kind in rng.integers(3, size=20_000)]
    np.testing.assert_allclose(np.bincount(found) / 20_000, np.array([9, 3, 1]) / 13, atol=0.01)


def test_of_classes_alike_none_is_another() -> None:
    rng = np.random.default_rng(0)
    assert all(rarer(rng, kind, 6, 1) == kind for kind in range(6) for _ in range(50))


@pytest.mark.parametrize(
    ("before", "drawn", "last", "wanted"),
    [
        ([1], 5, False, 2),  # the other one of the pair
        ([0, 2], 2, True, 1),
        ([2], None, False, 1),  # although there was to be no other object
        ([1, 2], 1, True, 1),  # both are there
        ([1, 2], None, True, None),
        ([0], 1, False, 1),  # a place is left
        ([0], 1, True, 0),  # none is
        ([0, 4], 2, True, 0),
        ([0, 4], 3, True, 3),
        ([0], None, True, None),
    ],
)
def test_the_class_of_the_next_object(
    before: list[int], drawn: int | None, last: bool, wanted: int | None
) -> None:
    assert paired(before, drawn, last) == wanted


@pytest.mark.parametrize("objects", [2, 3])
def test_a_pair_comes_together_as_often_as_asked(objects: int) -> None:
    """Both in all pictures with one of them at 1, in one of four or five by chance, at a half between."""
    shares = []
    for share in (0, 0.5, 1):
        found = [{1, 2} & {*scene.classes} for scene in scenes(72, size=32, objects=objects, pairs=share)]
        shares.append(sum(len(pair) == 2 for pair in found) / sum(map(bool, found)))
    assert shares[0] < 0.3 < shares[1] < 0.9 < shares[2]
    assert max(len(scene.classes) for scene in scenes(24, size=32, objects=objects, pairs=1)) == objects


def test_a_pair_that_is_not_asked_for_leaves_a_picture_as_it_is() -> None:
    """At a half, those pictures that are together at 1 or as they are at 0, and of both some."""
    sides = zip(*(scenes(24, size=32, pairs=share) for share in (0, 0.5, 1)), strict=True)
    same = [[np.array_equal(half.picture, other.picture) for other in (no, yes)] for no, half, yes in sides]
    assert all(map(any, same)) and not all(no for no, _ in same) and not all(yes for _, yes in same)


def test_a_long_tail_moves_no_object() -> None:
    plain, tail = scenes(48, size=64), scenes(48, size=64, rare=20)
    for one, other in zip(plain, tail, strict=True):
        assert np.array_equal(one.instances, other.instances)
    counts = [np.bincount([kind for scene in found for kind in scene.classes]) for found in (plain, tail)]
    assert counts[0].min() > 8 and counts[1][0] > 2 * counts[0][0] and 0 < counts[1][5] < counts[0][5] / 2


def test_the_first_pictures_of_a_long_tail_show_every_class() -> None:
    assert [scene.classes[0] for scene in scenes(6, size=32, rare=1000)] == [0, 1, 2, 3, 4, 5]
    assert {scene.classes[0] for scene in scenes(24, size=32, rare=1000)[6:]} <= {0, 1, 2}
