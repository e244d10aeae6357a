"""The demo's encoder for SegNet: as `small`, but each of its five levels ends with a 2x2 pooling.

The layers stand in one row, `features`, as in the library's VGG, so that SegNet finds the poolings.
"""

import itertools
from typing import Any

from segmentation_models_pytorch.encoders._base import EncoderMixin
from torch import Tensor, nn

from stages.common.networks.small_encoder import CHANNELS, layer


class SmallPool(nn.Module, EncoderMixin):
    """Five levels; level l has stride 2**l. It is not dilated: a pooling has no weights to spread."""

    def __init__(self, out_channels: list[int], depth: int = 5, output_stride: int = 32) -> None:
        super().__init__()
        self._depth, self._in_channels = depth, 3
        self._out_channels, self._output_stride = out_channels, output_stride
        layers: list[nn.Module] = []
        for level, (inputs, outputs) in enumerate(itertools.pairwise(CHANNELS[: depth + 1]), 1):
            layers += [*layer(inputs, outputs, 5 if level == 1 else 3), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)

    def make_dilated(self, output_stride: int) -> None:
        raise ValueError("small_pool pools five times: its output stride is 32")

    def forward(self, x: Tensor) -> list[Tensor]:
        found = [x]
        for module in self.features:
            x = module(x)
            if isinstance(module, nn.MaxPool2d):
                found.append(x)
        return found


ENTRY: dict[str, Any] = {
    "encoder": SmallPool,
    "pretrained_settings": {},
    "params": {"out_channels": list(CHANNELS)},
}
