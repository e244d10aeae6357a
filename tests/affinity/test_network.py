"""AffinityNet against NumPy and OpenCV, and its affinities by hand."""

import math

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from stages.affinity.network import AffinityNet, affinities, build_affinity_net, rebuild_affinity_net
from stages.common.training.params import Encoder

ENCODER = Encoder(
    name="small", output_stride=8, mean=[0.0] * 3, std=[1.0] * 3, freeze=[], batch_norm="train",
    weights={"source": "none", "name": "", "sha256": ""},
)  # fmt: skip


class Pyramid(nn.Module):
    """Levels of strides 1, 2 and 8; the last two go into the network."""

    out_channels = (3, 3, 3)

    def forward(self, x):
        return [x, F.avg_pool2d(x, 2), F.avg_pool2d(x, 8)]


def elu(x):
    return np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)


def by_pixel(conv, x):
    """A 1x1 convolution of [C, h, w]: a matrix at every place."""
    return np.einsum("oc,chw->ohw", conv.weight.detach().numpy()[:, :, 0, 0], x)


def test_levels_are_reduced_brought_to_the_grid_and_joined():
    torch.manual_seed(0)
    net = AffinityNet(Pyramid(), [2, 1], [2, 4], 4)
    pictures = torch.randn(2, 3, 18, 29)  # a grid of 5 x 8: cells at the border are cut
    found = net(pictures).detach().numpy()
    assert found.shape == (2, 6, 5, 8) and found.min() < -0.1 < 0.1 < found.max()
    levels = net.encoder(pictures)
    for n in range(2):
        parts = []
        for level, conv in zip((2, 1), net.reduce, strict=True):
            for channel in elu(by_pixel(conv, levels[level][n].numpy())):
                parts.append(cv2.resize(channel, (8, 5), interpolation=cv2.INTER_LINEAR))
        np.testing.assert_allclose(found[n], elu(by_pixel(net.join, np.stack(parts))), atol=1e-5)


def test_the_convolutions_have_no_bias_and_the_last_starts_with_four_times_xaviers_range():
    net = AffinityNet(Pyramid(), [1, 2], [20, 30], 4)
    assert [conv.bias for conv in (*net.reduce, net.join)] == [None] * 3
    limit = 4 * math.sqrt(6 / (50 + 50))
    assert 0.99 * limit < net.join.weight.abs().max() <= limit


def test_affinities_by_hand():
    """Two channels: the distance is the mean of the two differences, in float32 whatever comes in."""
    features = torch.tensor([[[[0.0, 2.0, 4.0], [1.0, 4.0, 0.0]], [[0.0, 0.0, 1.0], [3.0, 2.0, 1.0]]]])
    values, inside = affinities(features.bfloat16(), [(0, 1), (1, -2), (1, 0)])
    assert values.dtype == torch.float32 and values.shape == (1, 3, 2, 3)
    distances = [
        [[1, 1.5, None], [2, 2.5, None]],
        [[None, None, 2.5], [None, None, None]],
        [[2, 2, 2], [None, None, None]],
    ]
    for found, there, rows in zip(values[0], inside, distances, strict=True):
        assert there.tolist() == [[d is not None for d in row] for row in rows]
        wanted = [[0.0 if d is None else math.exp(-d) for d in row] for row in rows]
        torch.testing.assert_close(found, torch.tensor(wanted))


def test_rebuilding_takes_the_saved_weights_and_no_random_numbers():
    model = build_affinity_net(ENCODER, [3, 5], [4, 6], 8)
    config = {"encoder": ENCODER.model_dump(), "levels": [3, 5], "channels": [4, 6], "grid_stride": 8}
    config["encoder"]["weights"] |= {"source": "file", "name": "gone.safetensors", "sha256": "0" * 64}
    torch.manual_seed(5)
    before = torch.get_rng_state()
    copy = rebuild_affinity_net(config)
    assert torch.equal(torch.get_rng_state(), before)
    copy.load_state_dict(model.state_dict())
    x = torch.rand(1, 3, 24, 40)
    torch.testing.assert_close(copy.eval()(x), model.eval()(x))
    assert copy(x).shape == (1, 10, 3, 5)
