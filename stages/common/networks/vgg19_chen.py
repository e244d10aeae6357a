"""VGG-19 without its last two poolings (CHEN 4.4.1, step 1), so its features have stride 8.

The 3x3 convolutions with 1024 channels that replace the fully connected layers are new layers,
so they belong to the classifier (`stages/classifier/network.py`), not to this encoder.
"""

import torchvision
from segmentation_models_pytorch.encoders.vgg import vgg_encoders
from torch import nn

from stages.common.networks.vgg_stride8 import VggStride8

POOLINGS = (4, 9, 18, 27, 36)  # indices in torchvision's vgg19().features


class Vgg19Chen(VggStride8):
    """CHEN drops the poolings and keeps the kernels dense."""

    def __init__(self, out_channels: list[int], depth: int = 5, output_stride: int = 8) -> None:
        features = torchvision.models.vgg19(weights=None).features
        super().__init__("vgg19_chen", features, POOLINGS, nn.Identity, out_channels, depth, output_stride)


ENTRY = {
    "encoder": Vgg19Chen,
    "params": {"out_channels": [3, 64, 128, 256, 512, 512]},
    "pretrained_settings": vgg_encoders["vgg19"]["pretrained_settings"],
}
