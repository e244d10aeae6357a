"""DeepLab v1, LargeFOV (Chen et al., 2015), https://arxiv.org/abs/1412.7062.

On VGG-16 (encoder vgg16_deeplab) as published, or on any encoder of stride 8 or 16.
"""

from typing import Any

from torch import Tensor, nn

from stages.common.networks.encoders import build_encoder
from stages.common.training.params import Encoder
from stages.segmenter.network_params import check_options
from stages.segmenter.upsampled import upsampled


class DeepLabV1(nn.Module):
    """fc6 is a 3x3 convolution with `rate` cells between its taps; fc6 and fc7 have `width` channels."""

    def __init__(self, encoder: nn.Module, classes: int, rate: int, width: int) -> None:
        super().__init__()
        self.encoder = encoder
        inputs: int = encoder.out_channels[-1]  # type: ignore[index, assignment]
        self.head = nn.Sequential(
            nn.Conv2d(inputs, width, 3, padding=rate, dilation=rate), nn.ReLU(), nn.Dropout(0.5),
            nn.Conv2d(width, width, 1), nn.ReLU(), nn.Dropout(0.5),
            nn.Conv2d(width, classes, 1),
        )  # fmt: skip

    def forward(self, pictures: Tensor) -> Tensor:
        """Scores [B, classes, H, W] of pictures [B, 3, H, W]."""
        return upsampled(self.head(self.encoder(pictures)[-1]), pictures)


def build(encoder: Encoder, classes: int, options: dict[str, Any]) -> nn.Module:
    check_options("deeplabv1", options)
    return DeepLabV1(build_encoder(encoder), classes, **options)
