"""IoU by class, mIoU and FB-IoU of three episodes, by hand and by torchmetrics. ZHANG 5.4.2."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_jaccard_index, multiclass_jaccard_index

from stages.episodes import scores

TRUTH = [np.array([[1, 1, 0, 255]]), np.array([[0, 1, 0, 0]]), np.array([[1, 0, 0, 0]])]
FOUND = [np.array([[1, 0, 1, 1]]), np.array([[0, 1, 0, 1]]), np.array([[0, 0, 0, 0]])]
LABELS = np.array([2, 1, 2])


@pytest.fixture
def tables():
    return np.stack([scores.counts(*pair) for pair in zip(TRUTH, FOUND, strict=True)])


def test_counts_by_hand(tables):
    assert tables.tolist() == [[[0, 1], [1, 1]], [[2, 1], [0, 1]], [[3, 0], [1, 0]]]
    assert scores.iou(tables).tolist() == pytest.approx([1 / 3, 1 / 2, 0])
    assert np.isnan(scores.iou(np.array([[5, 0], [0, 0]])))


def test_a_class_pools_its_episodes(tables):
    """Of class 2: 1 of 4 in both together, where the mean of each is 1/6; class 3 was not asked for."""
    found = scores.class_iou(tables, LABELS, [1, 2, 3])
    assert found[:2].tolist() == pytest.approx([1 / 2, 1 / 4]) and np.isnan(found[2])
    for label, value in zip((1, 2), found, strict=False):
        pairs = [
            (t.ravel(), f.ravel()) for t, f, own in zip(TRUTH, FOUND, LABELS, strict=True) if own == label
        ]
        truth, guess = (torch.from_numpy(np.concatenate(part)) for part in zip(*pairs, strict=True))
        assert value == pytest.approx(binary_jaccard_index(guess, truth, ignore_index=255).item())


def test_fb_iou_is_of_object_and_ground_over_all_episodes(tables):
    assert scores.fb_iou(tables) == pytest.approx((2 / 6 + 5 / 9) / 2)
    truth, guess = (torch.from_numpy(np.concatenate([x.ravel() for x in part])) for part in (TRUTH, FOUND))
    wanted = multiclass_jaccard_index(guess, truth, num_classes=2, ignore_index=255)
    assert scores.fb_iou(tables) == pytest.approx(wanted.item())


def test_runs():
    assert scores.over_runs(np.array([0.2, 0.4])) == pytest.approx((0.3, 0.02**0.5))
    assert scores.over_runs(np.array([0.2])) == (pytest.approx(0.2), None)
