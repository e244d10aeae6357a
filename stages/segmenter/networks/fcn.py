"""FCN-32s, FCN-16s, FCN-8s (Long et al., 2015), https://arxiv.org/abs/1411.4038.

Scores of the last level are raised step by step, and those of finer levels added, down to stride `finest`.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.networks.encoders import build_encoder
from stages.common.training.params import Encoder
from stages.segmenter.network_params import check_options


class Fcn(nn.Module):
    """`hidden` is the number of channels of fc6 (7x7) and fc7; with 0 the encoder's features are scored."""

    def __init__(self, encoder: nn.Module, classes: int, finest: int, hidden: int) -> None:
        super().__init__()
        self.encoder, self.finest = encoder, finest
        channels: list[int] = list(encoder.out_channels)  # type: ignore[arg-type]
        self.hidden = fully_connected(channels[-1], hidden) if hidden else nn.Identity()
        steps = int(math.log2(32 // finest))  # how often 2 is raised to 2
        inputs = [hidden or channels[-1], *channels[-2 : -2 - steps : -1]]
        self.scores = nn.ModuleList(zero(width, classes) for width in inputs)
        self.twice = nn.ModuleList(doubling(classes) for _ in range(steps))
        self.register_buffer("whole", bilinear(finest), persistent=False)  # the last one does not learn

    def forward(self, pictures: Tensor) -> Tensor:
        """Scores [B, classes, H, W] of pictures [B, 3, H, W] whose sides 32 divides."""
        last, *finer = reversed(self.encoder(pictures))
        scores: Tensor = self.scores[0](self.hidden(last))
        for twice, score, features in zip(self.twice, self.scores[1:], finer, strict=False):
            scores = twice(scores) + score(features)
        kernel = self.get_buffer("whole").expand(scores.shape[1], 1, -1, -1)
        half = self.finest // 2
        return F.conv_transpose2d(scores, kernel, stride=self.finest, padding=half, groups=scores.shape[1])


def fully_connected(inputs: int, hidden: int) -> nn.Sequential:
    """fc6 and fc7, as convolutions."""
    return nn.Sequential(
        nn.Conv2d(inputs, hidden, 7, padding=3), nn.ReLU(), nn.Dropout(0.5),
        nn.Conv2d(hidden, hidden, 1), nn.ReLU(), nn.Dropout(0.5),
    )  # fmt: skip


def zero(inputs: int, classes: int) -> nn.Conv2d:
    """Scores that are 0 at first, so that a finer level changes nothing until it has learnt to."""
    layer = nn.Conv2d(inputs, classes, 1)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def doubling(classes: int) -> nn.ConvTranspose2d:
    """Twice the size; it begins as bilinear interpolation, each class by itself."""
    layer = nn.ConvTranspose2d(classes, classes, 4, stride=2, padding=1, bias=False)
    with torch.no_grad():
        layer.weight.zero_()
        for c in range(classes):
            layer.weight[c, c] = bilinear(2)
    return layer


def bilinear(factor: int) -> Tensor:
    """The kernel [2 f, 2 f] with which a transposed convolution of stride f interpolates."""
    places = torch.arange(2 * factor)
    line = 1 - (places - (factor - 0.5)).abs() / factor
    return line[:, None] * line


def build(encoder: Encoder, classes: int, options: dict[str, Any]) -> nn.Module:
    check_options("fcn", options)
    return Fcn(build_encoder(encoder), classes, **options)
