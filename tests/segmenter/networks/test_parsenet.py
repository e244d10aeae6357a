"""ParseNet: features and their mean, each of length `scale`."""

import torch

from stages.segmenter.network import build_segmenter
from stages.segmenter.networks.parsenet import Normalised
from tests.segmenter.test_network import encoder


def test_every_place_has_the_length_of_the_scale():
    layer, x = Normalised(6, 10), torch.randn(2, 6, 3, 4) * torch.logspace(-2, 3, 12).view(3, 4)
    torch.testing.assert_close(layer(x).norm(dim=1), torch.full((2, 3, 4), 10.0))
    with torch.no_grad():
        layer.scale[2] = 0.0
    assert layer(x)[:, 2].abs().max() == 0 and layer(x)[:, 1].abs().min() > 0


def test_a_cell_sees_itself_and_the_whole_picture():
    torch.manual_seed(0)
    net = build_segmenter("parsenet", encoder("small", 32), 3, {"scale": 10.0}).eval()
    x = torch.randn(1, 3, 32, 32)  # of one cell, which is its own mean
    with torch.no_grad():
        here = net.encoder(x)[-1][0, :, 0, 0]
        both = torch.cat([10 * here / here.norm()] * 2)
        wanted = net.head.weight[:, :, 0, 0] @ both + net.head.bias
        torch.testing.assert_close(net(x)[0, :, 5, 9], wanted)
        # elsewhere in the picture, something changes: a far cell's scores move by the mean alone
        wide = torch.randn(1, 3, 32, 320)
        other = wide.clone()
        other[..., 288:] = 0
        assert torch.equal(net.encoder(wide)[-1][..., 0], net.encoder(other)[-1][..., 0])
        assert not torch.allclose(net(wide)[..., 0], net(other)[..., 0])
