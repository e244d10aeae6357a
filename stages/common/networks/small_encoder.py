"""The demo's encoder: small enough to learn the generated set on a laptop's CPU in two minutes.

Convolutions at full resolution and max pooling: fine patterns are seen before they are thinned
out. A strided residual network of the same cost needed more than twice the epochs.
"""

import itertools
from typing import Any

from segmentation_models_pytorch.encoders._base import EncoderMixin
from torch import Tensor, nn

CHANNELS = (3, 16, 24, 48, 64, 64)


def layer(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]


class SmallEncoder(nn.Module, EncoderMixin):
    """Five levels; level l has stride 2**l before dilation. The first three pool, the last two stride."""

    def __init__(self, out_channels: list[int], depth: int = 5, output_stride: int = 32) -> None:
        super().__init__()
        self._depth, self._in_channels = depth, 3
        self._out_channels, self._output_stride = out_channels, output_stride
        levels: list[nn.Module] = []
        for level, (inputs, outputs) in enumerate(itertools.pairwise(CHANNELS[: depth + 1]), 1):
            if level <= 3:
                modules = [*layer(inputs, outputs, 5 if level == 1 else 3), nn.MaxPool2d(2, ceil_mode=True)]
            else:
                modules = layer(inputs, outputs, 3, stride=2)
            levels.append(nn.Sequential(*modules))
        self.levels = nn.ModuleList(levels)

    def get_stages(self) -> dict[int, Any]:
        return {2**level: [self.levels[level - 1]] for level in range(4, self._depth + 1)}

    def forward(self, x: Tensor) -> list[Tensor]:
        features = [x]
        for level in self.levels:
            features.append(level(features[-1]))
        return features


ENTRY = {
    "encoder": SmallEncoder,
    "pretrained_settings": {},
    "params": {"out_channels": list(CHANNELS)},
}
