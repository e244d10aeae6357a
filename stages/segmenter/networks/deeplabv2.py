"""DeepLab v2 (Chen et al., 2017), https://arxiv.org/abs/1606.00915: the sum of dilated convolutions.

With `msc` the network also sees the picture at smaller scales, and its scores are the largest of all scales'.
In training each scale has a loss of its own, and so has the maximum; all weigh 1.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.networks.encoders import build_encoder
from stages.common.training.params import Encoder
from stages.segmenter.network_params import check_options
from stages.segmenter.upsampled import upsampled


class Aspp(nn.Module):
    """The sum over the rates of 3x3 convolutions with a bias; weights normal(0, 0.01), biases 0."""

    def __init__(self, inputs: int, classes: int, rates: list[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Conv2d(inputs, classes, 3, padding=rate, dilation=rate) for rate in rates
        )
        for branch in self.branches:
            nn.init.normal_(branch.weight, std=0.01)  # type: ignore[arg-type]
            nn.init.zeros_(branch.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        first, *others = (branch(x) for branch in self.branches)
        return sum(others, first)


class DeepLabV2(nn.Module):
    def __init__(self, encoder: nn.Module, classes: int, rates: list[int], msc: list[float]) -> None:
        super().__init__()
        self.encoder, self.msc = encoder, msc
        inputs: int = encoder.out_channels[-1]  # type: ignore[index, assignment]
        self.head = Aspp(inputs, classes, rates)

    def forward(self, pictures: Tensor) -> Tensor | list[tuple[Tensor, float]]:
        """Scores [B, classes, H, W] of pictures [B, 3, H, W]; while training with `msc` several, of which
        the maximum is the first, each with the weight of its loss.
        """
        scales = [pictures]
        for scale in self.msc:
            scales.append(F.interpolate(pictures, scale_factor=scale, mode="bilinear", align_corners=False))
        scores = [upsampled(self.head(self.encoder(x)[-1]), pictures) for x in scales]
        if not self.msc:
            return scores[0]
        largest = torch.stack(scores).amax(0)
        return [(one, 1.0) for one in (largest, *scores)] if self.training else largest


def build(encoder: Encoder, classes: int, options: dict[str, Any]) -> nn.Module:
    check_options("deeplabv2", options)
    return DeepLabV2(build_encoder(encoder), classes, **options)
