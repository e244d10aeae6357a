"""PSPNet (Zhao et al., 2017), https://arxiv.org/abs/1612.01105, as published; FGV, "PSPNet".

The library's has a lighter decoder on an encoder that ends at stride 8, and no auxiliary head.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.networks.encoders import build_encoder
from stages.common.training.params import Encoder
from stages.segmenter.network_params import check_options
from stages.segmenter.upsampled import upsampled

WIDTH = 512  # channels of the head


class Pyramid(nn.Module):
    """x [B, D, h, w] beside its means over 1x1, 2x2, ... bins, each of D / bins channels: [B, 2 D, h, w]."""

    def __init__(self, channels: int, bins: list[int]) -> None:
        super().__init__()
        self.bins, width = bins, max(channels // len(bins), 1)
        self.levels = nn.ModuleList(nn.Sequential(*block(channels, width, 1)) for _ in bins)
        self.out_channels = channels + width * len(bins)

    def forward(self, x: Tensor) -> Tensor:
        found = [x]
        for number, level in zip(self.bins, self.levels, strict=True):
            means = level(binned(x, number))
            found.append(F.interpolate(means, x.shape[2:], mode="bilinear", align_corners=False))
        return torch.cat(found, 1)


class PspNet(nn.Module):
    """`aux` is the weight of the loss of the auxiliary head, on the encoder's last level but one."""

    def __init__(self, encoder: nn.Module, classes: int, bins: list[int], aux: float) -> None:
        super().__init__()
        self.encoder, self.aux = encoder, aux
        channels: list[int] = list(encoder.out_channels)  # type: ignore[arg-type]
        self.pyramid = Pyramid(channels[-1], bins)
        self.head = head(self.pyramid.out_channels, WIDTH, classes)
        self.second = head(channels[-2], max(channels[-2] // 4, 1), classes) if aux else None

    def forward(self, pictures: Tensor) -> Tensor | list[tuple[Tensor, float]]:
        """Scores [B, classes, H, W] of pictures [B, 3, H, W]; while training also those of the auxiliary
        head, each with the weight of its loss."""
        *_, before, last = self.encoder(pictures)
        scores = upsampled(self.head(self.pyramid(last)), pictures)
        if self.second is None or not self.training:
            return scores
        return [(scores, 1.0), (upsampled(self.second(before), pictures), self.aux)]


def binned(x: Tensor, bins: int) -> Tensor:
    """The means [B, D, bins, bins] of x [B, D, h, w]; bin i has the rows from i h / bins to (i + 1) h / bins.

    What F.adaptive_avg_pool2d gives, as products with matrices of 0 and 1: these are deterministic on a
    GPU too, and go to ONNX for pictures of any size.
    """
    rows, columns = (membership(side, bins, x) for side in x.shape[2:])
    sums = rows @ x @ columns.T
    return sums / (rows.sum(1)[:, None] * columns.sum(1))


def membership(side: int, bins: int, like: Tensor) -> Tensor:
    """[bins, side]: 1 where the bin holds the cell."""
    cells = torch.arange(side, device=like.device)
    starts = torch.arange(bins, device=like.device)[:, None] * side
    return ((cells >= starts // bins) & (cells * bins < starts + side)).to(like.dtype)


def block(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]


def head(inputs: int, width: int, classes: int) -> nn.Sequential:
    return nn.Sequential(*block(inputs, width, 3), nn.Dropout2d(0.1), nn.Conv2d(width, classes, 1))


def build(encoder: Encoder, classes: int, options: dict[str, Any]) -> nn.Module:
    check_options("pspnet", options)
    return PspNet(build_encoder(encoder), classes, **options)


def scoring(model: PspNet) -> nn.Conv2d:
    layer: nn.Conv2d = model.head[-1]  # type: ignore[assignment]
    return layer
