"""IRN's rule for confident labels."""

import numpy as np

from stages.affinity_labels import irn
from stages.affinity_labels.params import Irn
from stages.common.crf_params import Crf

CRF = Crf(iterations=2, smooth_sxy=3.0, smooth_compat=1.0, color_sxy=50.0, color_srgb=5.0, color_compat=1.0)
PARAMS = Irn(threshold_foreground=0.3, threshold_plain=0.2, threshold_background=0.05, gt_prob=0.7)


def test_combine():
    foreground = np.uint8([[3, 0, 0, 3]])
    background = np.uint8([[3, 0, 3, 0]])
    found = irn.combine(foreground, background)
    np.testing.assert_array_equal(found, [[3, 0, 255, 3]])
    assert found.dtype == np.uint8


def test_the_three_runs_start_from_labels_at_their_thresholds(monkeypatch):
    """A probability of .7 for the label at a threshold, .15 for each of the two others."""
    starts = []

    def results(picture, unaries, classes, crf):
        starts.extend(np.exp(-unary) for unary in unaries)
        return np.uint8([[6, 0, 9, 0]]), np.uint8([[6, 0, 0, 9]]), np.uint8([[1, 2, 3, 4]])

    monkeypatch.setattr(irn, "infer_labels", results)
    maps = np.float32([[[0.4, 0.25, 0.1, 0.01]], [[0.2, 0.28, 0.02, 0.02]]])
    affinity, plain = irn.labels(maps, np.array([6, 9]), np.zeros((1, 4, 3), np.uint8), PARAMS, CRF)
    for start, labels in zip(starts, ([1, 0, 0, 0], [1, 2, 1, 0], [1, 2, 0, 0]), strict=True):
        wanted = np.where(np.arange(3)[:, None] == np.array(labels), 0.7, 0.15)
        np.testing.assert_allclose(start, wanted, rtol=1e-5)
    assert affinity.tolist() == [[6, 0, 9, 255]] and plain.tolist() == [[1, 2, 3, 4]]


def test_three_bands_of_the_first_of_two_classes():
    values = np.repeat(np.float32([0.9, 0.1, 0]), 8)[:, None].repeat(12, 1)
    maps = np.stack([values, values / 2])
    picture = np.repeat(np.uint8([250, 120, 10]), 8)[:, None, None].repeat(12, 1).repeat(3, 2)
    affinity, plain = irn.labels(maps, np.array([6, 9]), picture, PARAMS, CRF)
    np.testing.assert_array_equal(affinity[[4, 12, 20], 6], [6, 255, 0])
    np.testing.assert_array_equal(plain[[4, 12, 20], 6], [6, 0, 0])
    assert set(np.unique(plain)) <= {0, 6}


def test_one_pixel_high():
    maps = np.float32([[[0.9, 0.9, 0, 0]]])
    picture = np.uint8([[[200] * 3, [200] * 3, [0] * 3, [0] * 3]])
    affinity, plain = irn.labels(maps, np.array([2]), picture, PARAMS, CRF)
    assert affinity.shape == plain.shape == (1, 4)
