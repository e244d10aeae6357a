"""SegNet (Badrinarayanan et al., 2017), https://arxiv.org/abs/1511.00561; FGV, "SegNet".

The decoder mirrors the encoder's convolutions. No features pass from one to the other, but where each maximum
came from: the decoder puts its value back there, and zeros around it.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.networks.encoders import build_encoder
from stages.common.training.params import Encoder
from stages.segmenter.network_params import check_options


class SegNet(nn.Module):
    """On an encoder whose layers stand in one row, `features`, with 2x2 poolings among them."""

    def __init__(self, encoder: nn.Module, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        levels: list[list[tuple[int, int]]] = [[]]  # (inputs, outputs) of each level's convolutions
        for layer in encoder.features:  # type: ignore[union-attr]
            if isinstance(layer, nn.MaxPool2d):
                levels.append([])
            elif isinstance(layer, nn.Conv2d):
                levels[-1].append((layer.in_channels, layer.out_channels))
        (_, width), *rest = levels[0]
        mirrored = [_mirror(level) for level in (*levels[-2:0:-1], rest)]
        self.levels = nn.ModuleList(nn.Sequential(*layers) for layers in mirrored)
        self.last = nn.Conv2d(width, classes, 3, padding=1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Scores [B, classes, H, W] of pictures [B, 3, H, W] whose sides 32 divides."""
        x, places = pictures, []
        for layer in self.encoder.features:  # type: ignore[union-attr]
            if isinstance(layer, nn.MaxPool2d):
                size = x.shape
                x, indices = F.max_pool2d(x, 2, return_indices=True)
                places.append((indices, size))
            else:
                x = layer(x)
        for level, (indices, size) in zip(self.levels, reversed(places), strict=True):
            x = level(unpooled(x, indices, size))
        found: Tensor = self.last(x)
        return found


def unpooled(x: Tensor, indices: Tensor, size: torch.Size) -> Tensor:
    """What F.max_unpool2d gives: values [B, C, h, w] at their places in zeros of `size`, [B, C, H, W].

    Written so because a scatter can be exported to ONNX. Windows of 2x2 do not overlap, so no place is
    written twice, and the result is the same in any order.
    """
    flat = x.new_zeros(size).flatten(2)
    return flat.scatter(2, indices.flatten(2), x.flatten(2)).view(size)


def _mirror(level: list[tuple[int, int]]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for inputs, outputs in reversed(level):
        conv = nn.Conv2d(outputs, inputs, 3, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(inputs), nn.ReLU()]
    return layers


def build(encoder: Encoder, classes: int, options: dict[str, Any]) -> nn.Module:
    check_options("segnet", options)
    return SegNet(build_encoder(encoder), classes)
