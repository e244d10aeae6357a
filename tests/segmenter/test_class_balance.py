"""Weights of the classes, counted by hand on two small masks."""

import numpy as np
import pytest
import torch

from stages.segmenter.class_balance import Counts, average, class_weights, count, pixel_weights

# Six known pixels with classes 0 and 1, and eight with 0 and, once, 3; nobody has class 2.
MASKS = [
    np.array([[0, 0, 1, 1], [1, 1, 255, 255]], np.uint8),
    np.array([[0, 0, 0, 0], [0, 0, 0, 3]], np.uint8),
]


def test_pixels_and_those_of_the_pictures_that_hold_a_class():
    found = count(MASKS, 4)
    assert found.pixels.tolist() == [9, 4, 0, 1]
    assert found.held.tolist() == [14, 6, 0, 8]
    with pytest.raises(ValueError, match="a mask has the label 3, and there are 3 classes"):
        count(MASKS, 3)


def test_inverse_weighs_a_pixel_one_in_the_mean():
    weights = class_weights("inverse", count(MASKS, 4))
    np.testing.assert_allclose(weights, [14 / (3 * 9), 14 / (3 * 4), 0, 14 / 3])
    assert np.isclose(np.dot(weights, [9, 4, 0, 1]) / 14, 1)


def test_median_frequency():
    """f = 9/14, 4/6, 1/8, whose median is 9/14."""
    wanted = [1, (9 / 14) / (4 / 6), 0, (9 / 14) / (1 / 8)]
    np.testing.assert_allclose(class_weights("median", count(MASKS, 4)), wanted)


@pytest.mark.parametrize("balance", ["inverse", "median"])
def test_labels_of_which_nothing_is_known_weigh_nothing(balance):
    assert class_weights(balance, Counts(np.zeros(3, int), np.zeros(3, int))) == [0, 0, 0]


def test_pixel_weights_are_those_of_their_class():
    labels = torch.tensor([[[0, 2], [1, 255]]])
    found = pixel_weights(labels, "inverse", torch.tensor([0.5, 2.0, 7.0]))
    assert found[labels != 255].tolist() == [0.5, 7, 2]
    assert pixel_weights(labels, "none", None).tolist() == [[[1, 1], [1, 1]]]
    labels = torch.tensor([[[0, 0, 0, 1, 2, 255]]])  # five known: 5 / (2 * 3), 5 / (2 * 2)
    sides = pixel_weights(labels, "sides", None)
    torch.testing.assert_close(sides[labels != 255], torch.tensor([5 / 6, 5 / 6, 5 / 6, 5 / 4, 5 / 4]))
    for side in (0, 1, 255):  # what is not there has a weight, though nobody asks for it: no gradient is nan
        assert torch.isfinite(pixel_weights(torch.full((1, 2, 2), side), "sides", None)).all()


def test_the_average_is_over_known_pixels():
    labels, costs = torch.tensor([[[0, 255], [1, 255]]]), torch.tensor([[[1.0, torch.inf], [5.0, 9.0]]])
    assert average(costs, labels) == 3
    assert average(costs[:, :1], labels[:, :1]) == 1
    assert average(costs, torch.full_like(labels, 255)) == 0
