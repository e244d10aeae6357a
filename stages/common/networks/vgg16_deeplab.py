"""VGG-16 as DeepLab v1 has it (Chen et al., 2015), https://arxiv.org/abs/1412.7062: features of stride 8.

Poolings 4 and 5 look at 3x3 and keep the resolution, and the last three convolutions are dilated by 2, which
is what a stride of pooling 4 would have done. The weights are those of the library's VGG-16.
"""

from functools import partial

from segmentation_models_pytorch.encoders.vgg import vgg_encoders
from torch import nn
from torchvision.models import vgg

from stages.common.networks.vgg_stride8 import VggStride8

POOLINGS = (4, 9, 16, 23, 30)  # indices in torchvision's vgg16().features
LAST = (24, 26, 28)  # the convolutions between poolings 4 and 5


class Vgg16DeepLab(VggStride8):
    def __init__(self, out_channels: list[int], depth: int = 5, output_stride: int = 8) -> None:
        features = vgg.make_layers(vgg.cfgs["D"])  # without the fully connected layers, which are large
        for layer in features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        for index in LAST:
            features[index].dilation = features[index].padding = (2, 2)
        kept = partial(nn.MaxPool2d, 3, stride=1, padding=1)
        super().__init__("vgg16_deeplab", features, POOLINGS, kept, out_channels, depth, output_stride)


ENTRY = {
    "encoder": Vgg16DeepLab,
    "params": {"out_channels": [3, 64, 128, 256, 512, 512]},
    "pretrained_settings": vgg_encoders["vgg16"]["pretrained_settings"],
}
