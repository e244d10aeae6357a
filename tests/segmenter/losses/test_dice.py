"""Soft Dice, by hand and by the library."""

import math

import pytest
import torch
from segmentation_models_pytorch.losses import DiceLoss
from torch.nn import functional as F

from stages.segmenter.loss_params import Dice
from stages.segmenter.losses import Extra
from stages.segmenter.losses.dice import coefficients, loss


def batch(classes=5):
    torch.manual_seed(0)
    labels = torch.randint(0, 3, (2, 6, 6))  # two classes of five are absent
    labels[:, 0] = 255
    return torch.randn(2, classes, 6, 6), labels


def test_coefficients_by_loops():
    scores, labels = batch()
    p, found = scores.softmax(1), coefficients(scores, labels)
    for c in range(5):
        both = total = truth = 0.0
        for b, i, j in torch.cartesian_prod(torch.arange(2), torch.arange(6), torch.arange(6)).tolist():
            if labels[b, i, j] != 255:
                is_c = float(labels[b, i, j] == c)
                both += float(p[b, c, i, j]) * is_c
                total += float(p[b, c, i, j]) + is_c
                truth += is_c
        wanted = 2 * both / total if truth else math.inf
        assert math.isclose(float(found[c]), wanted, rel_tol=1e-5)


@pytest.mark.parametrize(("form", "logarithm"), [("plain", False), ("log", True)])
def test_the_library_s_is_ours_over_all_classes(form, logarithm):
    """There the two absent classes cost nothing, but count."""
    scores, labels = batch()
    theirs = DiceLoss("multiclass", log_loss=logarithm, ignore_index=255)(scores, labels)
    found = loss(scores, labels, Dice(form=form, ce=0), Extra())
    torch.testing.assert_close(found, theirs * 5 / 3)


def test_log_cosh_and_cross_entropy():
    scores, labels = batch()
    plain = float(loss(scores, labels, Dice(form="plain", ce=0), Extra()))
    ce = float(F.cross_entropy(scores, labels, ignore_index=255))
    found = float(loss(scores, labels, Dice(form="log_cosh", ce=0.5), Extra()))
    assert math.isclose(found, math.log(math.cosh(plain)) + 0.5 * ce, rel_tol=1e-5)


def test_a_useless_result_costs_nearly_all_with_many_absent_classes():
    """The library's mean over 21 classes of which 2 are there says 0.09."""
    torch.manual_seed(0)
    labels = torch.randint(0, 2, (2, 8, 8))
    scores = 0.01 * torch.randn(2, 21, 8, 8)
    assert loss(scores, labels, Dice(form="plain", ce=0), Extra()) > 0.9
    assert DiceLoss("multiclass", ignore_index=255)(scores, labels) < 0.1


def test_one_class_alone_and_one_pixel_alone():
    """The mean over one class is its own value, and a class of one pixel is a class."""
    scores = torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[[1, 255], [255, 255]]])
    p = float(scores.softmax(1)[0, 1, 0, 0])
    found = loss(scores, labels, Dice(form="plain", ce=0), Extra())
    assert math.isclose(found, 1 - 2 * p / (p + 1), rel_tol=1e-5)
