"""SegNet: values go back to where they came from, and its weights are as many as published."""

import pytest
import torch
from torch.nn import functional as F

from stages.segmenter.network import build_segmenter
from stages.segmenter.networks import segnet
from tests.segmenter.test_network import encoder


def test_fgv_s_example_of_max_unpooling():
    given = torch.tensor([[1.0, 2, 6, 3], [3, 5, 2, 1], [1, 2, 2, 1], [7, 3, 4, 8]])[None, None]
    pooled, indices = F.max_pool2d(given, 2, return_indices=True)
    assert pooled[0, 0].tolist() == [[5, 6], [7, 8]]
    found = segnet.unpooled(torch.tensor([[[[1.0, 2], [3, 4]]]]), indices, given.shape)
    assert found[0, 0].tolist() == [[0, 0, 2, 0], [0, 1, 0, 0], [0, 0, 0, 0], [3, 0, 0, 4]]


def test_it_is_the_library_s_unpooling_and_so_is_its_gradient():
    torch.manual_seed(0)
    _, indices = F.max_pool2d(torch.randn(2, 3, 6, 8), 2, return_indices=True)
    x, weights = torch.randn(2, 3, 3, 4, requires_grad=True), torch.randn(2, 3, 6, 8)
    ours, theirs = segnet.unpooled(x, indices, weights.shape), F.max_unpool2d(x, indices, 2)
    assert torch.equal(ours, theirs)
    gradients = [torch.autograd.grad((one * weights).sum(), x)[0] for one in (ours, theirs)]
    assert gradients[0].abs().min() > 0 and torch.equal(*gradients)


def test_vgg_16_has_the_published_weights_and_a_mirrored_decoder():
    net = build_segmenter("segnet", encoder("vgg16_bn", 32), 21, {})
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(29.4e6, rel=0.01)
    shapes = [[m.out_channels for m in level if isinstance(m, torch.nn.Conv2d)] for level in net.levels]
    assert shapes == [[512] * 3, [512, 512, 256], [256, 256, 128], [128, 64], [64]]
    assert (net.last.in_channels, net.last.out_channels, net.last.kernel_size) == (64, 21, (3, 3))
    convolutions = [m for m in net.levels.modules() if isinstance(m, torch.nn.Conv2d)]
    assert all((m.kernel_size, m.padding, m.bias) == ((3, 3), (1, 1), None) for m in convolutions)


def test_it_computes_what_the_library_s_pooling_and_unpooling_give():
    torch.manual_seed(0)
    net = build_segmenter("segnet", encoder("small_pool", 32), 2, {}).eval()
    x, places = torch.randn(1, 3, 64, 96), []
    with torch.no_grad():
        found, features = net(x), net.encoder(x)
        for layer in net.encoder.features:
            if isinstance(layer, torch.nn.MaxPool2d):
                x, where = F.max_pool2d(x, 2, return_indices=True)
                places.append(where)
            else:
                x = layer(x)
        torch.testing.assert_close(x, features[-1])
        for level, where in zip(net.levels, places[::-1], strict=True):
            x = level(F.max_unpool2d(x, where, 2))
        torch.testing.assert_close(found, net.last(x))
    assert [f.shape[2] for f in features] == [64, 32, 16, 8, 4, 2]
