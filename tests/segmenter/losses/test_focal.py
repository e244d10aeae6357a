"""Focal loss, by hand on two pixels."""

import math

import torch
from torch.nn import functional as F

from stages.segmenter.loss_params import Focal
from stages.segmenter.losses import Extra
from stages.segmenter.losses.focal import loss


def test_two_pixels_by_hand():
    """p = 0.8 and 0.25 of two classes: what is right weighs (1 - 0.8)^2, what is wrong (1 - 0.25)^2."""
    scores = torch.tensor([[math.log(0.8), math.log(0.75)], [math.log(0.2), math.log(0.25)]])
    scores, labels = scores.reshape(1, 2, 1, 2), torch.tensor([[[0, 1]]])
    wanted = -(0.2**2 * math.log(0.8) + 0.75**2 * math.log(0.25)) / 2
    assert math.isclose(loss(scores, labels, Focal(gamma=2, balance="none"), Extra()), wanted, rel_tol=1e-5)
    weighted = -(3 * 0.2**2 * math.log(0.8) + 0.5 * 0.75**2 * math.log(0.25)) / 2
    found = loss(scores, labels, Focal(gamma=2, balance="inverse"), Extra(torch.tensor([3.0, 0.5])))
    assert math.isclose(found, weighted, rel_tol=1e-5)


def test_without_gamma_it_is_cross_entropy():
    torch.manual_seed(0)
    x, labels = torch.randn(2, 5, 4, 4), torch.randint(0, 5, (2, 4, 4))
    labels[0, 0] = 255
    found = loss(x, labels, Focal(gamma=0, balance="none"), Extra())
    torch.testing.assert_close(found, F.cross_entropy(x, labels, ignore_index=255))
