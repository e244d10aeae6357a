"""ResUNet (Zhang et al., 2018), https://arxiv.org/abs/1711.10684; FGV, "ResUNet".

A U-Net of residual units whose norm and ReLU stand before the convolution. Where U-Net pools, the first
convolution of a unit has stride 2. It starts from no other network's weights.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.training.params import Encoder
from stages.segmenter.network_params import check_options


class Unit(nn.Module):
    """Twice BN, ReLU, 3x3 convolution; beside them a 1x1 convolution. The first unit's input is a picture,
    which is not normalised."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, first: bool = False) -> None:
        super().__init__()
        before = [] if first else [nn.BatchNorm2d(inputs), nn.ReLU()]
        self.way = nn.Sequential(
            *before, nn.Conv2d(inputs, outputs, 3, stride, padding=1),
            nn.BatchNorm2d(outputs), nn.ReLU(), nn.Conv2d(outputs, outputs, 3, padding=1),
        )  # fmt: skip
        self.shortcut, self.stride = nn.Conv2d(inputs, outputs, 1), stride

    def forward(self, x: Tensor) -> Tensor:
        # The stride by hand: on a CPU the backward pass of a strided 1x1 convolution of 4 or 8 channels that
        # lie last in memory writes beyond its own (torch 2.13: "corrupted size vs. prev_size").
        return self.way(x) + self.shortcut(x[..., :: self.stride, :: self.stride])


class Contracting(nn.Module):
    """The encoder: features of strides 1, 2, 4 and, of the bridge, 8."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out_channels = [width, 2 * width, 4 * width, 8 * width]
        units = [Unit(3, width, first=True)]
        units += [Unit(wide // 2, wide, stride=2) for wide in self.out_channels[1:]]
        self.levels = nn.ModuleList(units)

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for unit in self.levels:
            found.append(x := unit(x))
        return found


class ResUnet(nn.Module):
    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.encoder = Contracting(width)
        finer = self.encoder.out_channels[-2::-1]
        self.levels = nn.ModuleList(Unit(3 * wide, wide) for wide in finer)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Scores [B, classes, H, W] of pictures [B, 3, H, W] whose sides 8 divides."""
        x, *finer = reversed(self.encoder(pictures))
        for unit, features in zip(self.levels, finer, strict=True):
            x = unit(torch.cat([F.interpolate(x, features.shape[2:], mode="nearest"), features], 1))
        found: Tensor = self.head(x)
        return found


def build(encoder: Encoder, classes: int, options: dict[str, Any]) -> nn.Module:
    """`encoder` tells how the contracting half is normalised and frozen; it has no other weights."""
    check_options("resunet", options)
    return ResUnet(classes, **options)
