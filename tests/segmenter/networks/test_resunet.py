"""ResUNet: weights, strides, and a unit by hand."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stages.segmenter.network import build_segmenter
from stages.segmenter.networks.resunet import Unit
from tests.segmenter.test_network import encoder


def test_the_published_weights_are_those_of_the_3x3_convolutions():
    """7.8 M; the 1x1 shortcuts, which the count leaves out, have 0.43 M more."""
    net = build_segmenter("resunet", encoder("resunet", 8), 2, {"width": 64})
    sizes = {(3, 3): 0, (1, 1): 0}
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            sizes[module.kernel_size] += module.weight.numel()  # type: ignore[index]
    assert sizes[3, 3] == pytest.approx(7.8e6, rel=0.01)
    assert sizes[1, 1] == 430_272 + 2 * 64


def test_strides_and_channels():
    net = build_segmenter("resunet", encoder("resunet", 8), 2, {"width": 4})
    found = [tuple(f.shape) for f in net.encoder(torch.zeros(2, 3, 32, 64))]
    assert found == [(2, 4, 32, 64), (2, 8, 16, 32), (2, 16, 8, 16), (2, 32, 4, 8)]
    assert not [m for m in net.modules() if isinstance(m, nn.MaxPool2d)]


def test_a_unit_normalises_before_it_convolves():
    torch.manual_seed(0)
    unit, x = Unit(3, 5, stride=2), torch.randn(4, 3, 6, 6)
    first, second = (m for m in unit.way if isinstance(m, nn.Conv2d))

    def normal(x):
        mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
        return ((x - mean) / (var + 1e-5).sqrt()).relu()

    inner = F.conv2d(normal(x), first.weight, first.bias, 2, 1)
    wanted = F.conv2d(normal(inner), second.weight, second.bias, 1, 1)
    wanted = wanted + F.conv2d(x, unit.shortcut.weight, unit.shortcut.bias, 2)
    torch.testing.assert_close(unit(x), wanted)
    assert isinstance(Unit(3, 5, first=True).way[0], nn.Conv2d)
