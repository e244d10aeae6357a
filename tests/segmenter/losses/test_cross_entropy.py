"""Cross-entropy of known pixels, by hand."""

import torch

from stages.common.params import Empty
from stages.segmenter.losses import cross_entropy
from stages.segmenter.strategy import pixel_loss


def test_unknown_pixels_never_count():
    x = torch.randn(1, 3, 2, 2)
    labels = torch.tensor([[[0, 255], [2, 255]]])
    chosen = x.log_softmax(1)
    wanted = -(chosen[0, 0, 0, 0] + chosen[0, 2, 1, 0]) / 2
    torch.testing.assert_close(cross_entropy.loss(x, labels), wanted)
    assert cross_entropy.loss(x, torch.full((1, 2, 2), 255)) == 0
    networks = {"main": torch.nn.Identity()}
    found = pixel_loss(cross_entropy.loss, Empty(), networks, (x, labels), 0.0)
    torch.testing.assert_close(found, {"loss": wanted})


def test_it_is_float32_whatever_the_scores_are():
    x = torch.randn(2, 3, 4, 4).bfloat16()
    labels = torch.zeros(2, 4, 4, dtype=torch.int64)
    found = cross_entropy.loss(x, labels)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, -x.float().log_softmax(1)[:, 0].mean())
