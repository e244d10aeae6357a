"""DeepLab v3 (Chen et al., 2017), https://arxiv.org/abs/1706.05587."""

from typing import Any

from torch import nn

from stages.common.training.params import Encoder
from stages.segmenter import library

settled, scoring = library.with_rates, library.scoring


def build(encoder: Encoder, classes: int, options: dict[str, Any]) -> nn.Module:
    return library.build("deeplabv3", encoder, classes, settled(encoder, options))
