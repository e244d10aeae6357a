"""Cross-entropy of known pixels, by hand and by torch."""

import pytest
import torch
from torch.nn import functional as F

from stages.segmenter.loss_params import CrossEntropy
from stages.segmenter.losses import Extra
from stages.segmenter.losses.cross_entropy import loss, plain

NONE, INVERSE, SIDES = (CrossEntropy(balance=name) for name in ("none", "inverse", "sides"))


def test_unknown_pixels_never_count():
    x = torch.randn(1, 3, 2, 2)
    labels = torch.tensor([[[0, 255], [2, 255]]])
    chosen = x.log_softmax(1)
    wanted = -(chosen[0, 0, 0, 0] + chosen[0, 2, 1, 0]) / 2
    torch.testing.assert_close(loss(x, labels, NONE, Extra()), wanted)
    torch.testing.assert_close(plain(x, labels), wanted)
    assert loss(x, torch.full((1, 2, 2), 255), NONE, Extra()) == 0
    alone = torch.tensor([[[0, 255], [255, 255]]])
    torch.testing.assert_close(loss(x, alone, NONE, Extra()), -chosen[0, 0, 0, 0])


def test_it_is_float32_whatever_the_scores_are():
    x = torch.randn(2, 3, 4, 4).bfloat16()
    labels = torch.zeros(2, 4, 4, dtype=torch.int64)
    found = loss(x, labels, NONE, Extra())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, -x.float().log_softmax(1)[:, 0].mean())


def test_weights_are_divided_by_the_pixels_and_not_by_their_sum():
    """torch's own `weight=` divides by the weights' sum: N times its loss is ours times that sum."""
    torch.manual_seed(0)
    x, labels = torch.randn(2, 4, 5, 5), torch.randint(0, 4, (2, 5, 5))
    labels[0, :2] = 255
    weights = torch.tensor([0.2, 3.0, 1.0, 7.0])
    theirs = F.cross_entropy(x, labels, weights, ignore_index=255)
    known = labels[labels != 255]
    found = loss(x, labels, INVERSE, Extra(weights))
    torch.testing.assert_close(found, theirs * weights[known].sum() / len(known))
    assert not torch.allclose(found, theirs, rtol=0.1)


def test_sides_average_ground_and_things_apart():
    torch.manual_seed(0)
    x, labels = torch.randn(2, 4, 5, 5), torch.randint(0, 4, (2, 5, 5))
    labels[1, :4] = 255
    ground = F.cross_entropy(x, torch.where(labels == 0, labels, 255), ignore_index=255)
    things = F.cross_entropy(x, torch.where(labels == 0, 255, labels), ignore_index=255)
    torch.testing.assert_close(loss(x, labels, SIDES, Extra()), (ground + things) / 2)


@pytest.mark.parametrize("side", [0, 2])
def test_of_one_side_alone_it_is_half(side):
    x, labels = torch.randn(1, 3, 4, 4), torch.full((1, 4, 4), side)
    torch.testing.assert_close(loss(x, labels, SIDES, Extra()), F.cross_entropy(x, labels) / 2)
