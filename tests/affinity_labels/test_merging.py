"""Merging, by enumeration of what can be true of one pixel, against the text, read aloud."""

import itertools

import numpy as np
import pytest

from stages.affinity_labels.merging import Boxed, first_known, largest_first, merged, painted
from stages.common.annotations import Box

U = 255


def box(label: int, left: int, right: int, number: int = 0) -> Box:
    """In a picture one pixel high."""
    return Box(number, label, left, 0, right, 1)


def read_aloud(inside: bool, found: int, has_to_stand_alone: bool, sure: int) -> int:
    """The text, as a person would follow it. `found` is what GrabCut says of the pixel."""
    if not inside:
        return 0
    if found == U:
        return U
    if has_to_stand_alone or found == sure:
        return found
    return U


def test_one_pixel_of_every_kind() -> None:
    kinds = list(itertools.product((False, True), (1, 2, U), (False, True), (0, 1, 2, U)))
    labels = np.array([found if inside else 0 for inside, found, _, _ in kinds], np.uint8)
    alone = np.array([inside and found != U and own for inside, found, own, _ in kinds])
    sure = np.array([says for *_, says in kinds], np.uint8)
    result = merged(Boxed(labels[None], alone[None]), sure[None])
    assert result.dtype == np.uint8 and result.shape == (1, 48)
    assert result[0].tolist() == [read_aloud(*kind) for kind in kinds]
    assert {*result[0].tolist()} == {0, 1, 2, U}


CASES = list(
    itertools.product(
        (False, True), (False, True),  # GrabCut of the large box, and of the small one
        (1, 2), (1, 2),  # their classes
        (0, 1, 2), (0, 1), (0, 2),  # M_I of the pixel, of the large box elsewhere, of the small one elsewhere
        (0, 1, 2, U),  # M'_I of the pixel
    )
)  # fmt: skip


@pytest.mark.parametrize("overlap", [False, True])
def test_two_boxes_against_the_equations(overlap: bool) -> None:
    """A picture of four pixels. The large box has the first three, the small one the last two of these, or
    the last one of all: so the third pixel, which is looked at, lies in both boxes or in the large one."""
    for large_cut, small_cut, one, two, here, beside, under, sure in CASES:
        boxes = [box(one, 0, 3, 0), box(two, 1, 3, 1) if overlap else box(two, 3, 4, 1)]
        full = np.array([[beside, under if overlap else 0, here, 0 if overlap else under]], np.uint8)
        cuts = [np.zeros((1, 4), bool), np.zeros((1, 4), bool)]
        cuts[0][0, 2] = large_cut
        cuts[1][0, 2] = small_cut and overlap
        boxed = painted(boxes, cuts, full)
        result = merged(boxed, np.array([[0, 0, sure, 0]], np.uint8))[0]

        in_large, in_small = [beside, full[0, 1], here], [under, here] if overlap else [under]
        m_b = U if not large_cut else one  # Eq. 3.2 and 3.3, the small box on top
        alone = large_cut and one not in in_large  # Eq. 3.4: the class is none of M_I in the box
        if small_cut and overlap:
            m_b, alone = two, two not in in_small
        assert boxed.labels[0, 2] == m_b and boxed.alone[0, 2] == alone
        wanted = m_b if m_b != U and (m_b == sure or alone) else U
        assert result[2] == wanted
        assert result[3] == (0 if overlap else U)  # in no box, or in one whose object lies nowhere
        assert result[0] == result[1] == U


def test_small_objects_lie_on_large_ones_whatever_the_order_of_the_boxes() -> None:
    boxes = [box(1, 0, 6, 0), box(2, 1, 4, 1), box(3, 2, 5, 2)]
    for order in itertools.permutations(boxes):
        assert largest_first(list(order)) == boxes  # equal areas by their number
    cuts = [np.arange(8)[None] < 6, np.isin(np.arange(8), (1, 2))[None], np.isin(np.arange(8), (2, 4))[None]]
    boxed = painted(boxes, cuts, np.zeros((1, 8), np.uint8))
    assert boxed.labels[0].tolist() == [1, 2, 3, 1, 3, 1, 0, 0]
    assert boxed.alone[0].tolist() == [True] * 6 + [False] * 2


def test_large_is_an_area() -> None:
    """Of 9, 8, 6 and 4 pixels; no side alone says so."""
    boxes = [Box(1, 1, 0, 0, 3, 3), Box(2, 1, 5, 4, 13, 5), Box(3, 1, 7, 0, 9, 3), Box(4, 1, 9, 2, 10, 6)]
    for order in itertools.permutations(boxes):
        assert largest_first(list(order)) == boxes


def test_the_seeds_have_a_class_in_the_box_or_they_do_not() -> None:
    """Elsewhere in the picture does not count."""
    boxes, cuts = [box(1, 1, 3)], [np.array([[False, True, False, False]])]
    for full, alone in (([0, 0, 1, 0], False), ([0, 0, 2, 0], True), ([1, 0, 0, 1], True)):
        assert painted(boxes, cuts, np.array([full], np.uint8)).alone[0].tolist() == [
            False,
            alone,
            False,
            False,
        ]


def test_a_picture_without_boxes_is_background() -> None:
    full = np.array([[0, 1, U]], np.uint8)
    assert merged(painted([], [], full), full).tolist() == [[0, 0, 0]]


def test_the_first_is_asked_first() -> None:
    pairs = list(itertools.product((0, 1, U), (0, 2, U)))
    first, second = (np.array([list(values)], np.uint8) for values in zip(*pairs, strict=True))
    found = first_known(first, second)
    assert found[0].tolist() == [0, 0, 0, 1, 1, 1, 0, 2, U] and found.dtype == np.uint8
