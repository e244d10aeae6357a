"""ParseNet (Liu et al., 2016), https://arxiv.org/abs/1506.04579: features beside their mean over the picture.

The two differ in size by orders of magnitude, so each is brought to length 1 first, and then learns how much
each of its channels counts.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.networks.encoders import build_encoder
from stages.common.training.params import Encoder
from stages.segmenter.network_params import check_options
from stages.segmenter.upsampled import upsampled


class Normalised(nn.Module):
    """x / |x| over the channels at each place, times a learned vector that is `scale` at first."""

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), float(scale)))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=1) * self.scale[:, None, None]


class ParseNet(nn.Module):
    def __init__(self, encoder: nn.Module, classes: int, scale: float) -> None:
        super().__init__()
        self.encoder = encoder
        inputs: int = encoder.out_channels[-1]  # type: ignore[index, assignment]
        self.here, self.everywhere = Normalised(inputs, scale), Normalised(inputs, scale)
        self.head = nn.Conv2d(2 * inputs, classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Scores [B, classes, H, W] of pictures [B, 3, H, W]."""
        x = self.encoder(pictures)[-1]
        mean = self.everywhere(x.mean((2, 3), keepdim=True)).expand_as(x)
        return upsampled(self.head(torch.cat([self.here(x), mean], 1)), pictures)


def build(encoder: Encoder, classes: int, options: dict[str, Any]) -> nn.Module:
    check_options("parsenet", options)
    return ParseNet(build_encoder(encoder), classes, **options)


def scoring(model: ParseNet) -> nn.Conv2d:
    return model.head
