"""PSPNet: its bins by loops, its channels, and its second head."""

import math

import pytest
import torch
from torch.nn import functional as F

from stages.segmenter.network import build_segmenter
from stages.segmenter.networks.pspnet import Pyramid, binned
from tests.segmenter.test_network import encoder

OPTIONS = {"bins": [1, 2, 3, 6], "aux": 0.4}


@pytest.mark.parametrize("bins", [1, 2, 3, 6])
@pytest.mark.parametrize("size", [(6, 6), (16, 16), (7, 10), (4, 5)])
def test_bins_by_loops(size, bins):
    """Neighbouring bins share a cell where the side is no multiple; a grid smaller than the bins repeats."""
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    found = binned(x, bins)
    for i in range(bins):
        for j in range(bins):
            rows = slice(i * size[0] // bins, math.ceil((i + 1) * size[0] / bins))
            columns = slice(j * size[1] // bins, math.ceil((j + 1) * size[1] / bins))
            torch.testing.assert_close(found[:, :, i, j], x[:, :, rows, columns].mean((2, 3)))
    torch.testing.assert_close(found, F.adaptive_avg_pool2d(x, bins))


def test_the_pyramid_doubles_the_channels_and_keeps_the_features():
    pyramid, x = Pyramid(16, [1, 2, 3, 6]).eval(), torch.randn(1, 16, 8, 8)
    found = pyramid(x)
    assert found.shape == (1, 32, 8, 8) and pyramid.out_channels == 32
    assert torch.equal(found[:, :16], x)
    first = found[:, 16:20]  # the first level's mean is everywhere
    torch.testing.assert_close(first, first[..., :1, :1].expand_as(first))


def test_the_second_head_is_there_while_it_trains_and_where_it_is_asked_for():
    torch.manual_seed(0)
    net, x = build_segmenter("pspnet", encoder("small", 8), 3, OPTIONS), torch.randn(2, 3, 64, 64)
    (scores, one), (second, weight) = net.train()(x)
    assert (one, weight) == (1.0, 0.4) and scores.shape == second.shape == (2, 3, 64, 64)
    assert isinstance(net.eval()(x), torch.Tensor)
    second.square().sum().backward()  # reaches the last level but one, and none behind it
    assert [level[0].weight.grad is not None for level in net.encoder.levels] == [True] * 4 + [False]
    with pytest.raises(ValueError, match="pspnet takes no rate; it takes bins, aux"):
        build_segmenter("pspnet", encoder("small", 8), 3, {**OPTIONS, "rate": 1})
    without = build_segmenter("pspnet", encoder("small", 8), 3, {**OPTIONS, "aux": 0})
    assert isinstance(without.train()(x), torch.Tensor)
    assert not [name for name in without.state_dict() if name.startswith("second")]


def test_each_level_of_the_pyramid_is_raised_by_interpolation():
    torch.manual_seed(0)
    pyramid, x = Pyramid(8, [3, 6]).eval(), torch.randn(1, 8, 9, 13)
    with torch.no_grad():
        for number, (bins, level) in enumerate(zip([3, 6], pyramid.levels, strict=True)):
            means = level(F.adaptive_avg_pool2d(x, bins))
            wanted = F.interpolate(means, (9, 13), mode="bilinear", align_corners=False)
            torch.testing.assert_close(pyramid(x)[:, 8 + 4 * number :][:, :4], wanted)
    assert [m.bias for m in pyramid.modules() if isinstance(m, torch.nn.Conv2d)] == [None, None]


def test_the_heads_as_published():
    """On levels of 256 and 512 channels: 3x3 to 512, and to a quarter; norm, ReLU, dropout 0.1, then 1x1."""
    net = build_segmenter("pspnet", encoder("resnet18", 8), 3, OPTIONS)
    for head, inputs, width in ((net.head, 1024, 512), (net.second, 256, 64)):
        first, norm, _, dropout, last = head
        assert (first.in_channels, first.out_channels, norm.num_features) == (inputs, width, width)
        assert (first.kernel_size, first.padding, first.bias) == ((3, 3), (1, 1), None)
        assert (dropout.p, last.kernel_size, last.out_channels) == (0.1, (1, 1), 3)
