"""The mean entropy of right and wrong pixels, near the boundary and inside, counted by hand."""

import numpy as np
import pytest

from stages.evaluation import entropy

TRUTH = np.array([[0, 1, 255], [2, 2, 1]], np.uint8)
RESULT = np.array([[0, 2, 0], [2, 255, 1]], np.uint8)
GREY = np.array([[10, 250, 99], [20, 100, 60]], np.uint8)
RING = np.array([[0, 1, 0], [2, 1, 1]], np.uint8)
WIDTHS = (1, 3)


def test_the_sums_by_hand() -> None:
    """Wrong are 250 and 100, right 10, 60 and 20. The void pixel's 99 is in neither, an unknown one wrong."""
    found = entropy.count(TRUTH, RESULT, GREY, RING, 3)
    assert found.dtype == np.int64
    assert found.tolist() == [[[0, 0], [10, 1]], [[350, 2], [60, 1]], [[0, 0], [20, 1]]]


def test_the_means_are_over_the_pixels_of_all_pictures() -> None:
    """The band is as wide as that of boundary_miou, 3 pixels: rings 0 and 1."""
    twice = entropy.count(TRUTH, RESULT, GREY, RING, 3) + entropy.count(TRUTH, RESULT, GREY + 4, RING, 3)
    assert entropy.means(twice, WIDTHS) == {
        "entropy_right": pytest.approx(100 * (90 + 90 + 12) / 6 / 255, abs=0.005),
        "entropy_wrong": pytest.approx(100 * (350 + 350 + 8) / 4 / 255, abs=0.005),
        "entropy_band": pytest.approx(100 * (420 + 420 + 16) / 8 / 255, abs=0.005),
        "entropy_interior": pytest.approx(100 * (20 + 24) / 2 / 255, abs=0.005),
    }


def test_a_region_without_a_pixel_has_no_mean() -> None:
    found = entropy.count(TRUTH, TRUTH, GREY, np.zeros_like(RING), 3)
    assert set(entropy.means(found, WIDTHS)) == {"entropy_right", "entropy_band"}


def test_sums_are_exact_whatever_the_number_of_pixels() -> None:
    size = (3000, 3000)
    grey = np.full(size, 255, np.uint8)
    found = entropy.count(np.zeros(size, np.uint8), np.zeros(size, np.uint8), grey, np.zeros_like(grey), 1)
    assert found.tolist() == [[[0, 0], [255 * 9_000_000, 9_000_000]]]


def test_another_size_is_an_error() -> None:
    with pytest.raises(ValueError, match="entropy is 2x2"):
        entropy.count(TRUTH, RESULT, GREY[:, :2], RING, 3)
