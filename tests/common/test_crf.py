"""The CRF against pydensecrf called plainly, bit for bit."""

import numpy as np
import pytest
from pydensecrf import utils
from pydensecrf.densecrf import DenseCRF2D

from stages.common import crf
from stages.common.crf_params import Crf

PARAMS = Crf(
    iterations=4, smooth_sxy=3.0, smooth_compat=3.0, color_sxy=50.0, color_srgb=5.0, color_compat=10.0
)


def picture_and_scores(height=20, width=27, count=3):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (height, width, 3), np.uint8)
    scores = rng.random((count, height, width)).astype(np.float32)
    return picture, scores / scores.sum(0)


def plainly(picture, unary):
    height, width = picture.shape[:2]
    model = DenseCRF2D(width, height, len(unary))
    model.setUnaryEnergy(unary)
    model.addPairwiseGaussian(sxy=3, compat=3)
    model.addPairwiseBilateral(sxy=50, srgb=5, rgbim=picture, compat=10)
    return np.array(model.inference(4)).reshape(-1, height, width)


def test_soft_unary_equals_pydensecrf():
    picture, scores = picture_and_scores()
    scores[0, :3] = 0  # the clip
    result = crf.infer(picture, [crf.unary_from_scores(scores)], PARAMS)[0]
    np.testing.assert_array_equal(result, plainly(picture, utils.unary_from_softmax(scores, clip=1e-5)))


def test_soft_unary_by_hand_as_pydensecrf_wants_it():
    """No score is above 1 or below 1e-5; float32, row by row, also of an array in another order."""
    scores = np.asfortranarray([[[0.5, 1.5], [0, 1]], [[0.25, 1e-6], [1e-5, 0.1]]])
    unary = crf.unary_from_scores(scores)
    assert unary.dtype == np.float32 and unary.flags.c_contiguous
    np.testing.assert_allclose(np.exp(-unary), [[0.5, 1, 1e-5, 1], [0.25, 1e-5, 1e-5, 0.1]], rtol=1e-5)


def test_label_unary_by_hand():
    unary = crf.unary_from_labels(np.array([[0, 2], [1, 1]]), 3, 0.7)
    assert unary.dtype == np.float32
    wanted = [[0.7, 0.15, 0.15, 0.15], [0.15, 0.15, 0.7, 0.7], [0.15, 0.7, 0.15, 0.15]]
    np.testing.assert_allclose(np.exp(-unary), wanted, rtol=1e-5)


def test_label_unary_equals_pydensecrf():
    picture, scores = picture_and_scores()
    labels = scores.argmax(0)
    expected = plainly(picture, utils.unary_from_labels(labels, 3, 0.7, zero_unsure=False))
    result = crf.infer(picture, [crf.unary_from_labels(labels, 3, 0.7)], PARAMS)[0]
    np.testing.assert_array_equal(result, expected)


def test_a_shared_lattice_equals_two_objects():
    picture, scores = picture_and_scores()
    unaries = [crf.unary_from_scores(scores), crf.unary_from_labels(scores.argmin(0), 3, 0.9)]
    shared = crf.infer(picture, unaries, PARAMS)
    apart = [crf.infer(picture, [unary], PARAMS)[0] for unary in unaries]
    np.testing.assert_array_equal(shared, apart)
    assert not np.array_equal(*shared)


def test_a_picture_that_is_a_view():
    picture, scores = picture_and_scores()
    unary = crf.unary_from_scores(scores)
    mirrored = crf.infer(picture[:, ::-1], [unary], PARAMS)[0]
    np.testing.assert_array_equal(mirrored, plainly(picture[:, ::-1].copy(), unary))


def test_labels_are_class_indices():
    picture, scores = picture_and_scores()
    scores = np.eye(3, dtype=np.float32).repeat(2, 1)[:, :, None].repeat(27, 2)  # three even stripes
    picture = np.uint8([0, 0, 120, 120, 240, 240])[:, None, None].repeat(27, 1).repeat(3, 2)
    labels = crf.infer_labels(picture, [crf.unary_from_scores(scores)], np.array([5, 11]), PARAMS)[0]
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels[:, 0], [0, 0, 5, 5, 11, 11])


def test_background_alone_is_certain():
    picture, _ = picture_and_scores()
    unary = crf.unary_from_labels(np.zeros((20, 27), int), 1, 0.7)
    assert unary.shape == (1, 540) and unary.dtype == np.float32 and not unary.any()
    np.testing.assert_allclose(crf.infer(picture, [unary], PARAMS)[0], 1)


@pytest.mark.parametrize("size", [(1, 33), (33, 1), (1, 1)])
def test_pictures_of_one_pixel(size):
    picture, scores = picture_and_scores(*size)
    result = crf.infer(picture, [crf.unary_from_scores(scores)], PARAMS)[0]
    np.testing.assert_allclose(result.sum(0), np.ones(size), rtol=1e-5)
