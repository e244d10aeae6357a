"""DeepLab v1 and v2: their heads at one place by hand, and the losses of several scales."""

import pytest
import torch
from torch.nn import functional as F

from stages.segmenter.network import build_segmenter
from stages.segmenter.networks.deeplabv2 import Aspp, DeepLabV2
from tests.segmenter.test_network import encoder


def test_the_sum_of_dilated_convolutions_at_one_place():
    torch.manual_seed(0)
    head, x, (row, column) = Aspp(5, 3, [1, 2, 6]), torch.randn(1, 5, 9, 9), (3, 7)
    wanted = torch.zeros(3)
    for rate, branch in zip([1, 2, 6], head.branches, strict=True):
        torch.nn.init.normal_(branch.bias)
        wanted += branch.bias
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                r, c = row + i * rate, column + j * rate
                if 0 <= r < 9 and 0 <= c < 9:
                    wanted += branch.weight[:, :, i + 1, j + 1] @ x[0, :, r, c]
    torch.testing.assert_close(head(x)[0, :, row, column], wanted)


def test_its_weights_begin_small_and_its_biases_at_0():
    torch.manual_seed(0)
    head = Aspp(256, 21, [6, 12])
    weights = torch.cat([branch.weight.flatten() for branch in head.branches])
    assert weights.std().item() == pytest.approx(0.01, rel=0.02)
    assert all(branch.bias.abs().max() == 0 for branch in head.branches)


def test_it_reads_the_last_level():
    net = build_segmenter("deeplabv2", encoder("resnet18", 8), 3, {"rates": [6], "msc": []}).eval()
    assert net.head.branches[0].in_channels == 512
    assert net(torch.zeros(1, 3, 64, 64)).shape == (1, 3, 64, 64)


def v2(msc: list[float]) -> DeepLabV2:
    torch.manual_seed(0)
    net = build_segmenter("deeplabv2", encoder("small", 8), 3, {"rates": [1, 2], "msc": msc})
    assert isinstance(net, DeepLabV2)
    for branch in net.head.branches:
        torch.nn.init.normal_(branch.weight)
    return net.eval()


def test_scores_of_several_scales_and_their_maximum():
    plain, net, x = v2([]), v2([0.5, 0.75]), torch.randn(2, 3, 64, 96)
    net.training = True  # of itself alone: batch norm stays as it is
    with torch.no_grad():
        found = net(x)
        assert [weight for _, weight in found] == [1.0] * 4
        wanted = [plain(x)]
        for size in ((32, 48), (48, 72)):
            scores = plain.head(plain.encoder(F.interpolate(x, size, mode="bilinear"))[-1])
            wanted.append(F.interpolate(scores, (64, 96), mode="bilinear"))
        wanted.insert(0, torch.maximum(torch.maximum(wanted[0], wanted[1]), wanted[2]))
        for (scores, _), one in zip(found, wanted, strict=True):
            torch.testing.assert_close(scores, one)
        torch.testing.assert_close(net.eval()(x), wanted[0])
    assert isinstance(v2([]).train()(x), torch.Tensor)


def test_v1_has_one_dilated_convolution_on_vgg_16():
    net = build_segmenter("deeplabv1", encoder("vgg16_deeplab", 8), 21, {"rate": 12, "width": 1024})
    shapes = [(m.out_channels, m.kernel_size[0], m.dilation[0]) for m in net.head if hasattr(m, "dilation")]
    assert shapes == [(1024, 3, 12), (1024, 1, 1), (21, 1, 1)]
    assert [m.p for m in net.head if isinstance(m, torch.nn.Dropout)] == [0.5, 0.5]
    # LargeFOV has 20.5 M weights: VGG-16's convolutions, 9 x 512 x 1024, 1024 x 1024, 1024 x 21, biases
    count = 14_714_688 + 9 * 512 * 1024 + 1024 + 1024**2 + 1024 + 1024 * 21 + 21
    assert sum(p.numel() for p in net.parameters()) == count
