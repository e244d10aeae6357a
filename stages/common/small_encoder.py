"""The demo's encoder: a residual network small enough to learn the generated set on a laptop."""

from typing import Any

import torch
from segmentation_models_pytorch.encoders._base import EncoderMixin
from torch import Tensor, nn

CHANNELS = (3, 24, 32, 48, 64, 64)


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + self.shortcut(x))


class SmallEncoder(nn.Module, EncoderMixin):
    """Five levels of one block each; level l has stride 2**l before dilation."""

    def __init__(self, out_channels: list[int], depth: int = 5, output_stride: int = 32) -> None:
        super().__init__()
        self._depth, self._in_channels = depth, 3
        self._out_channels, self._output_stride = out_channels, output_stride
        self.stem = nn.Sequential(
            nn.Conv2d(3, CHANNELS[1], 3, 2, 1, bias=False),
            nn.BatchNorm2d(CHANNELS[1]),
            nn.ReLU(),
            Block(CHANNELS[1], CHANNELS[1], 1),  # patterns have to be seen before they are thinned out
        )
        self.blocks = nn.ModuleList(Block(CHANNELS[n], CHANNELS[n + 1], 2) for n in range(1, depth))

    def get_stages(self) -> dict[int, Any]:
        return {2 ** (n + 2): [block] for n, block in enumerate(self.blocks)}

    def forward(self, x: Tensor) -> list[torch.Tensor]:
        features = [x, self.stem(x)]
        for block in self.blocks:
            features.append(block(features[-1]))
        return features


ENTRY = {
    "encoder": SmallEncoder,
    "pretrained_settings": {},
    "params": {"out_channels": list(CHANNELS)},
}
