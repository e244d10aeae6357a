"""Lovasz-softmax: what it extends, the IoU of hard results, and cross-entropy beside it."""

import itertools

import numpy as np
import torch
from torch.nn import functional as F

from stages.segmenter.loss_params import Lovasz
from stages.segmenter.losses import Extra
from stages.segmenter.losses.lovasz import loss


def test_of_hard_results_it_is_one_minus_the_mean_iou_of_the_present_classes():
    rng = np.random.default_rng(0)
    for _ in range(5):
        labels, found = rng.integers(0, 3, (2, 5, 5)), rng.integers(0, 4, (2, 5, 5))
        labels[0, 0] = 255
        known = labels != 255
        ious = [
            ((labels == c) & (found == c)).sum() / (((labels == c) | (found == c)) & known).sum()
            for c in range(4)
            if (labels == c).any()
        ]
        scores = 100 * F.one_hot(torch.from_numpy(found), 4).movedim(-1, 1).float()
        value = loss(scores, torch.from_numpy(labels), Lovasz(ce=0), Extra())
        np.testing.assert_allclose(value, 1 - np.mean(ious), rtol=1e-5)


def test_soft_results_by_the_extension_of_the_set_function():
    """The Lovasz extension: errors in falling order, each times what its pixel adds to 1 - IoU."""
    torch.manual_seed(1)
    scores, labels = torch.randn(1, 3, 2, 3), torch.tensor([[[0, 1, 255], [1, 0, 1]]])
    p = scores.softmax(1)[0].reshape(3, -1).numpy()
    y = labels.reshape(-1).numpy()
    parts = []
    for c in (0, 1):
        pixels = [i for i in range(6) if y[i] != 255]
        errors = {i: abs(float(y[i] == c) - p[c, i]) for i in pixels}
        order = sorted(pixels, key=lambda i: -errors[i])

        def cost(wrong, c=c):
            truth = {i for i in range(6) if y[i] == c}
            return 1 - len(truth - wrong) / len(truth | wrong)

        sets = [set(order[:k]) for k in range(len(order) + 1)]
        steps = [cost(after) - cost(before) for before, after in itertools.pairwise(sets)]
        parts.append(sum(errors[i] * step for i, step in zip(order, steps, strict=True)))
    found = loss(scores, labels, Lovasz(ce=0), Extra())
    np.testing.assert_allclose(found, np.mean(parts), rtol=1e-5)
    ce = F.cross_entropy(scores, labels, ignore_index=255)
    torch.testing.assert_close(loss(scores, labels, Lovasz(ce=2), Extra()), found + 2 * ce)
