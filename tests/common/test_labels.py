"""The two rules that turn maps into labels, on numbers worked out by hand."""

import numpy as np
import pytest

from stages.common.labels import (
    alpha_labels,
    alpha_scores,
    alpha_to_threshold,
    seed_labels,
    threshold_labels,
    upsample,
)


def test_upsample_has_half_pixel_centres():
    large = upsample(np.float16([[[0, 1]]]), (1, 4))
    assert large.dtype == np.float32
    np.testing.assert_allclose(large, [[[0, 0.25, 0.75, 1]]])


def test_upsample_of_no_map():
    assert upsample(np.empty((0, 2, 2)), (4, 6)).shape == (0, 4, 6)


def test_threshold_labels():
    maps = np.array([[[0.1, 0.5, 0.5, 0.6]], [[0.2, 0.4, 0.9, 0.6]]])
    labels = threshold_labels(maps, np.int16([3, 7]), 0.5)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, [[0, 0, 7, 3]])  # background wins a tie, then the first class


def test_threshold_labels_without_classes_are_background():
    labels = threshold_labels(np.empty((0, 2, 3)), np.empty(0, np.int16), 0.5)
    np.testing.assert_array_equal(labels, np.zeros((2, 3)))


def test_alpha_scores():
    scores = alpha_scores(np.array([[[-0.5, 0.25, 1.0]], [[-0.1, 0.5, 0.0]]]), 2)
    np.testing.assert_allclose(scores, [[[1, 0.25, 0]], [[0, 0.25, 1]], [[0, 0.5, 0]]])
    assert scores.dtype == np.float32


def test_alpha_scores_take_more_than_one_for_one():
    np.testing.assert_array_equal(alpha_scores(np.array([[[1.5, 0.5]]]), 2), [[[0, 0.25]], [[1, 0.5]]])


@pytest.mark.parametrize(
    ("alpha", "threshold"), [(4, 0.276), (6, 0.222), (8, 0.188), (16, 0.123), (24, 0.094), (32, 0.077)]
)
def test_alpha_to_threshold_is_the_published_table(alpha, threshold):
    assert round(alpha_to_threshold(alpha), 3) == threshold


def test_alpha_to_threshold_solves_by_hand():
    assert alpha_to_threshold(1) == pytest.approx(1 / 2)  # 1 - t = t
    assert alpha_to_threshold(2) == pytest.approx((3 - 5**0.5) / 2)  # t^2 - 3t + 1 = 0


@pytest.mark.parametrize("alpha", [1, 4, 8.5, 32])
def test_alpha_is_another_spelling_of_a_threshold(alpha):
    maps = np.random.default_rng(0).random((3, 60, 70)).astype(np.float32)
    classes = np.array([2, 5, 6])
    threshold = alpha_to_threshold(alpha)
    clear = abs(maps.max(0) - threshold) > 1e-6
    labels, same = alpha_labels(maps, classes, alpha), threshold_labels(maps, classes, threshold)
    np.testing.assert_array_equal(labels[clear], same[clear])
    assert clear.mean() > 0.99


def test_seed_labels():
    first = [0.1, 1.0, 0.6, 0.4, -0.1, -0.2]  # at half of 1.0: two seeds
    second = [0.0, 2.0, -1.0, 0.9, 0.3, -0.1]  # at half of 2.0: one
    labels = seed_labels(np.array([[first], [second]]), np.array([4, 9]), 0.5)
    np.testing.assert_array_equal(labels, [[255, 9, 4, 255, 255, 0]])
    assert labels.dtype == np.uint8


def test_a_seed_is_at_the_share_of_its_own_maps_peak():
    """The peak is .5, half of it .25: a value of just that is a seed, less is none."""
    maps = np.array([[[0.5, 0.25, 0.24, -0.1]]])
    np.testing.assert_array_equal(seed_labels(maps, np.array([3]), 0.5), [[3, 3, 255, 0]])


def test_seed_labels_give_equal_areas_to_the_first_class():
    maps = np.array([[[1.0, 0.1]], [[1.0, 0.1]]])
    np.testing.assert_array_equal(seed_labels(maps, np.array([4, 9]), 0.5), [[4, 255]])


def test_a_map_without_a_positive_value_has_no_seed():
    maps = np.array([[[-1.0, 0.0]]])
    np.testing.assert_array_equal(seed_labels(maps, np.array([1]), 0.0), [[0, 255]])
