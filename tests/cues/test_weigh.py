"""The formula of the cues, by hand and by its properties."""

import numpy as np

from stages.cues.weigh import cues, even

PARTS = np.array([[0, 0, 1], [0, 1, 1]])


def test_the_mean_of_each_region():
    values = np.array([[1.0, 2, 5], [6, 5, 8]])
    assert even(values, PARTS).tolist() == [[3, 3, 6], [3, 6, 6]]


def test_the_geometric_mean_of_seed_and_object_over_the_pictures_largest():
    """0.8 x 0.5 = 0.4 x 1 is the largest product, 0.2 x 0.5 a quarter of it; classes keep their order."""
    maps = np.array([[[0.8, 0.4]], [[0.2, 0.2]]], np.float16)
    found = cues(maps, np.array([[0.5, 1.0]]), None)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[[1, 1]], [[0.5, 0.5**0.5]]], atol=1e-3)


def test_means_are_multiplied_not_the_mean_of_products():
    """In one region: mean (0, 1) times mean (1, 0) is a quarter, whose root is a half; the products are 0."""
    maps = np.array([[[0.0, 1.0, 1.0]]])
    found = cues(maps, np.array([[1.0, 0.0, 1.0]]), np.array([[0, 0, 1]]))
    np.testing.assert_allclose(found, [[[0.5, 0.5, 1]]])


def test_a_negative_map_counts_as_none():
    found = cues(np.array([[[-2.0, 1.0, 1.0]]]), None, np.array([[0, 0, 1]]))
    np.testing.assert_allclose(found, [[[0.5, 0.5, 1]]])


def test_without_saliency_and_regions_the_seeds_are_left_but_for_their_scale():
    maps = np.random.default_rng(0).random((2, 4, 5))
    np.testing.assert_allclose(cues(maps, None, None), maps / maps.max(), rtol=1e-6)


def test_a_picture_without_class_or_of_zeros():
    assert cues(np.zeros((0, 2, 3)), np.ones((2, 3)), PARTS).shape == (0, 2, 3)
    assert not cues(np.ones((1, 2, 3)), np.zeros((2, 3)), PARTS).any()
