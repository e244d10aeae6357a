"""Removal on arrays: which pixels go, and what is said of the scores."""

import numpy as np
import pytest

from stages.diagnosis import agreement, removal

MAP = np.array([[0.5, 2.0, -1.0], [2.0, 0.5, 3.0]])


def test_pixels_come_by_relevance_and_ties_by_index() -> None:
    assert removal.ranked(MAP).tolist() == [5, 1, 3, 0, 4, 2]


@pytest.mark.parametrize(("share", "count"), [(0, 0), (1, 1), (0.4, 0), (8, 8), (12.5, 13), (100, 100)])
def test_a_share_is_that_many_pixels_to_the_nearest(share: float, count: int) -> None:
    assert removal.number(share, 100) == count


def test_views_hide_the_first_pixels_and_leave_the_picture() -> None:
    picture = np.arange(18.0).reshape(3, 2, 3)
    before, fill = picture.copy(), np.array([-1.0, -2.0, -3.0])[:, None, None]
    whole, none, half, all_ = removal.views(picture, removal.ranked(MAP), (0, 50, 100), fill)
    np.testing.assert_array_equal(whole, before)
    np.testing.assert_array_equal(none, before)  # to the bit
    hidden = np.array([[False, True, False], [True, False, True]])
    for channel in range(3):
        assert (half[channel][hidden] == -1 - channel).all()
        np.testing.assert_array_equal(half[channel][~hidden], before[channel][~hidden])
    np.testing.assert_array_equal(all_, np.broadcast_to(fill, picture.shape))
    np.testing.assert_array_equal(picture, before)


SCORES = np.array([[-2.0, 1.0, 0.5], [-1.0, 0.25, 0.5], [-5.0, 1.5, 3.0]])


def test_a_curve_begins_with_no_change() -> None:
    found = removal.curve(SCORES, 1, np.array([1]))
    assert found.tolist() == [[0, 0, 1], [0.75, 1, 0], [0.5, 0, 0]]
    assert removal.curve(SCORES, 1, np.array([1, 2]))[:, 2].tolist() == [1, 1, 1]
    assert removal.curve(SCORES[:2], 1, np.array([1]))[:, 2].tolist() == [1, 0]
    of_a_negative = removal.curve(SCORES, 0, np.array([0]))
    assert of_a_negative.tolist() == [[0, 0, 0], [0.5, 0, 0], [1.5, 1, 0]]


def test_a_score_of_0_has_no_change_and_counts_where_it_can() -> None:
    flat = removal.curve(SCORES - SCORES[0, 1], 1, np.array([1]))
    assert np.isnan(flat[:, 0]).all() and flat[:, 1].tolist() == [0, 1, 0]
    three = np.stack([removal.curve(SCORES, 1, np.array([1])), removal.curve(SCORES, 1, np.array([2])), flat])
    three[1, :, 0] = [0, 0.25, 2.5]
    np.testing.assert_allclose(removal.summary(three)[1:], [[50, 50, 100, 100 / 3], [150, 150, 0, 100 / 3]])
    three[1, 1, 0] = 0.15
    assert removal.summary(np.concatenate([three, three[1:2]]))[1, :2] == pytest.approx(
        [35, 15]
    )  # mean, median
    nothing = removal.summary(np.empty((0, 3, 3)))
    assert nothing.shape == (3, 4) and np.isnan(nothing).all()


def test_maps_agree_by_rank_alone() -> None:
    draw = np.random.default_rng(0).normal(size=(64, 48))
    parts = agreement.coarse(draw)
    np.testing.assert_allclose(parts, draw.reshape(16, 4, 16, 3).mean((1, 3)))
    assert agreement.ranks(parts, np.exp(parts)) == pytest.approx(1)
    assert agreement.ranks(parts, -(parts**3)) == pytest.approx(-1)
    other = np.random.default_rng(1).normal(size=(16, 16))
    places = [one.ravel().argsort().argsort() for one in (parts, other)]  # no ties
    wanted = 1 - 6 * ((places[0] - places[1]) ** 2).sum() / (256 * (256**2 - 1))
    assert agreement.ranks(parts, other) == pytest.approx(wanted) and abs(wanted) < 0.2
    assert np.isnan(agreement.ranks(parts, np.ones((16, 16))))
    assert agreement.mean([0.5, np.nan, 0.25]) == 0.375 and np.isnan(agreement.mean([np.nan]))
