"""FCN: its transposed convolutions interpolate, and finer levels are added where they should be."""

import pytest
import torch
from torch.nn import functional as F

from stages.segmenter.network import build_segmenter
from stages.segmenter.networks import fcn
from tests.segmenter.test_network import encoder


@pytest.mark.parametrize("factor", [2, 8, 16, 32])
def test_the_kernel_interpolates_away_from_the_border(factor):
    x = torch.randn(2, 1, 5, 6, dtype=torch.float64)
    kernel = fcn.bilinear(factor).double()[None, None]
    found = F.conv_transpose2d(x, kernel, stride=factor, padding=factor // 2)
    wanted = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    inner = (..., slice(factor, -factor), slice(factor, -factor))
    assert found.shape == wanted.shape
    torch.testing.assert_close(found[inner], wanted[inner])
    assert not torch.allclose(found, wanted)  # at the border it fades to 0


def test_doubling_keeps_the_classes_apart_and_interpolates():
    x = torch.randn(1, 3, 5, 5)
    wanted = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(fcn.doubling(3)(x)[..., 2:-2, 2:-2], wanted[..., 2:-2, 2:-2])


def model(finest: int, hidden: int = 0) -> fcn.Fcn:
    torch.manual_seed(0)
    net = build_segmenter("fcn", encoder("small", 32), 3, {"finest": finest, "hidden": hidden})
    assert isinstance(net, fcn.Fcn)
    return net.eval()


def test_scores_are_0_at_first_and_their_weights_learn():
    net = model(8)
    scores = net(torch.randn(1, 3, 64, 64))
    assert scores.abs().max() == 0
    F.cross_entropy(scores, torch.ones(1, 64, 64, dtype=torch.int64)).backward()
    assert all(layer.weight.grad.abs().max() > 0 for layer in net.scores)


@pytest.mark.parametrize(("finest", "levels"), [(8, [2, 1, 0]), (16, [1, 0]), (32, [0])])
def test_the_sum_of_the_levels_by_hand(finest, levels):
    """Each level's scores raised by itself: all that follows is linear."""
    net, x = model(finest), torch.randn(1, 3, 96, 128)
    with torch.no_grad():
        for layer in net.scores:
            torch.nn.init.normal_(layer.weight)
            torch.nn.init.normal_(layer.bias)
        features = net.encoder(x)[::-1]
        wanted = torch.zeros(1, 3, 96, 128)
        for level in levels:
            part = net.scores[level](features[level])
            for twice in net.twice[level:]:
                part = twice(part)
            for c in range(3):
                kernel = fcn.bilinear(finest)[None, None]
                one = F.conv_transpose2d(part[:, [c]], kernel, stride=finest, padding=finest // 2)
                wanted[:, c] += one[:, 0]
        torch.testing.assert_close(net(x), wanted)
    assert len(net.scores) == len(levels)


def test_the_last_raising_is_no_weight_and_fc6_is_as_published():
    names = dict(model(8).named_parameters())
    assert sum(name.startswith("twice") for name in names) == 2 and "whole" not in model(8).state_dict()
    net = model(32, hidden=5)
    fc6, _, drop, fc7, _, second = net.hidden
    assert (fc6.kernel_size, fc6.padding, fc6.out_channels) == ((7, 7), (3, 3), 5)
    assert (fc7.kernel_size, drop.p, second.p, net.scores[0].in_channels) == ((1, 1), 0.5, 0.5, 5)


@pytest.mark.parametrize("hidden", [0, 5])
def test_levels_of_different_widths(hidden):
    net = build_segmenter("fcn", encoder("resnet18", 32), 3, {"finest": 8, "hidden": hidden}).eval()
    assert net(torch.randn(1, 3, 64, 96)).shape == (1, 3, 64, 96)
    assert [layer.in_channels for layer in net.scores] == [hidden or 512, 256, 128]
