"""Folds and episodes by hand: ZHANG 5.2, 5.4.2; PASCAL-5i of OSLSM, https://arxiv.org/abs/1709.03410."""

import numpy as np
import pytest

from stages.fold_masks.classes import asked, novel_classes
from stages.fold_masks.folds import any_mask, base_mask, draw, object_mask, shown_classes

POOLS = {1: ["a", "b", "c", "d"], 2: ["b", "c", "d", "e", "f"]}


def test_folds_of_pascal_5i():
    """Of VOC's classes in their order: fold 0 begins with aeroplane and ends with bottle."""
    assert [list(novel_classes(fold, 5, 20)) for fold in range(4)] == [
        [1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13, 14, 15], [16, 17, 18, 19, 20],
    ]  # fmt: skip
    assert list(novel_classes(2, 2, 7)) == [5, 6]


@pytest.mark.parametrize(
    ("fold", "size", "classes", "message"),
    [
        (4, 5, 20, "there is no fold 4 of 5 classes .* in 20: at most 3"),
        (3, 2, 7, "there is no fold 3 .* at most 2"),
        (0, 6, 6, "fold_masks.fold_classes: 6 of 6 classes leave none to learn from; at most 5"),
        (0, 7, 6, "fold_masks.fold_classes: 7 of 6 classes leave none to learn from; at most 5"),
        (1, 6, 6, "fold_masks.fold_classes: 6 of 6 classes leave none"),
    ],
)
def test_what_is_no_fold(fold, size, classes, message):
    with pytest.raises(ValueError, match=message):
        novel_classes(fold, size, classes)


def test_masks_by_hand():
    mask = np.array([[0, 1, 2], [3, 255, 2]], np.uint8)
    np.testing.assert_array_equal(base_mask(mask, range(1, 3)), [[0, 0, 0], [3, 255, 0]])
    np.testing.assert_array_equal(object_mask(mask, 2), [[0, 0, 1], [0, 255, 1]])
    np.testing.assert_array_equal(any_mask(mask), [[0, 1, 1], [1, 255, 1]])
    for made in (base_mask(mask, range(1, 2)), object_mask(mask, 2), any_mask(mask)):
        assert made.dtype == np.uint8
    assert shown_classes(mask, [1, 2, 3, 4], 2) == (2,)
    assert shown_classes(mask, [1, 2, 3, 4], 1) == (1, 2, 3)


def test_an_episode_is_a_query_and_its_supports():
    episodes = draw(POOLS, 3, 40, 2, seed=0)
    assert [(one.run, one.number) for one in episodes] == [(run, at) for run in (0, 1) for at in range(40)]
    assert {one.label for one in episodes} == {1, 2}
    for one in episodes:
        ids = {one.query, *one.supports}
        assert len(ids) == 4 and ids <= set(POOLS[one.label])
    assert {one.query for one in episodes if one.label == 2} == set(POOLS[2])


def test_an_episode_hangs_on_its_own_number():
    """More runs or more episodes change none of those that were there; another seed changes them."""
    few, many = draw(POOLS, 3, 5, 2, seed=0), draw(POOLS, 3, 9, 3, seed=0)
    assert few == [one for one in many if one.run < 2 and one.number < 5]
    assert few != draw(POOLS, 3, 5, 2, seed=1)
    assert few[:5] != [one._replace(run=0) for one in few[5:]]


def test_what_is_asked_for():
    assert asked(["3"]) == 3
    for wrong in ([], ["a"], ["-1"], ["0", "1"]):
        with pytest.raises(ValueError, match="name a fold"):
            asked(wrong)
