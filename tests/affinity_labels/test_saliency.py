"""P-NOC's rule for confident labels: object and ground of a saliency map, classes of the seeds."""

import numpy as np
import pytest

from stages.affinity_labels import saliency
from stages.affinity_labels.params import Saliency
from stages.common.crf_params import Crf

CRF = Crf(iterations=2, smooth_sxy=3.0, smooth_compat=1.0, color_sxy=50.0, color_srgb=5.0, color_compat=1.0)
PARAMS = Saliency(threshold_saliency=0.1, threshold_seeds=0.4, gt_prob=0.7)
MAPS = np.float32([[[0.5, 0.3, 0.9, 0.1]], [[0.2, 0.6, 0.1, 0.2]]])
CLASSES = np.array([6, 9])
PICTURE = np.zeros((1, 4, 3), np.uint8)


def test_combine() -> None:
    found = saliency.combine(np.uint8([[1, 0, 1, 0]]), np.uint8([[3, 0, 0, 3]]))
    assert found.tolist() == [[3, 0, 255, 3]] and found.dtype == np.uint8


def test_the_runs_start_from_the_map_and_from_the_classes_in_its_objects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts, asked = [], []

    def results(picture, unaries, classes, crf):
        (unary,) = unaries
        starts.append(np.exp(-unary))
        asked.append(classes.tolist())
        return [np.uint8([[1, 0, 1, 1]])] if len(starts) == 1 else [np.uint8([[6, 0, 0, 9]])]

    monkeypatch.setattr(saliency, "infer_labels", results)
    salient = np.float32([[0.05, 0.1, 0.11, 1.0]])
    affinity, plain = saliency.labels(MAPS, CLASSES, PICTURE, PARAMS, CRF, salient)
    np.testing.assert_allclose(starts[0], [[0.7, 0.7, 0.3, 0.3], [0.3, 0.3, 0.7, 0.7]], rtol=1e-5)
    positions = np.array([1, 0, 1, 0])  # of the largest above 0.4, in the objects that the CRF left
    wanted = np.where(np.arange(3)[:, None] == positions, 0.7, 0.15)
    np.testing.assert_allclose(starts[1], wanted, rtol=1e-5)
    assert asked == [[1], [6, 9]]
    assert affinity.tolist() == [[6, 0, 255, 9]] and plain.tolist() == [[6, 0, 0, 9]]


def noise() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((2, 9, 12), np.float32), rng.integers(0, 256, (9, 12, 3)).astype(np.uint8)


def test_where_all_is_object_nothing_is_ground() -> None:
    maps, picture = noise()
    affinity, plain = saliency.labels(maps, CLASSES, picture, PARAMS, CRF, np.ones((9, 12), np.float32))
    assert 0 not in affinity and set(np.unique(affinity)) <= {6, 9, 255} and affinity.shape == (9, 12)
    assert ((affinity == plain) | (plain == 0)).all()


def test_where_nothing_is_object_all_is_ground() -> None:
    maps, picture = noise()
    affinity, plain = saliency.labels(maps, CLASSES, picture, PARAMS, CRF, np.zeros((9, 12), np.float32))
    assert not affinity.any() and not plain.any()


def test_a_picture_without_a_class_is_ground_whatever_the_map_says() -> None:
    _, picture = noise()
    none = np.zeros((0, 9, 12), np.float32)
    for labels in saliency.labels(none, np.zeros(0, int), picture, PARAMS, CRF, np.ones((9, 12), np.float32)):
        assert not labels.any() and labels.dtype == np.uint8 and labels.shape == (9, 12)
