"""VGG-16 as DeepLab v1 has it (Chen et al., 2015), https://arxiv.org/abs/1412.7062: features of stride 8.

Poolings 4 and 5 look at 3x3 and keep the resolution, and the last three convolutions are dilated by 2, which
is what a stride of pooling 4 would have done. The weights are those of the library's VGG-16.
"""

from typing import Any

from segmentation_models_pytorch.encoders._base import EncoderMixin
from segmentation_models_pytorch.encoders.vgg import vgg_encoders
from torch import Tensor, nn
from torchvision.models import vgg

POOLINGS = (4, 9, 16, 23, 30)  # indices in torchvision's vgg16().features
LAST = (24, 26, 28)  # the convolutions between poolings 4 and 5


class Vgg16DeepLab(nn.Module, EncoderMixin):
    """Levels 1 to 3 have strides 2, 4, 8; 4 and 5 keep stride 8."""

    def __init__(self, out_channels: list[int], depth: int = 5, output_stride: int = 8) -> None:
        if output_stride != 8:
            raise ValueError("vgg16_deeplab keeps the resolution at two poolings: its output stride is 8")
        super().__init__()
        self._depth, self._in_channels = depth, 3
        self._out_channels, self._output_stride = out_channels, output_stride
        self.features = vgg.make_layers(vgg.cfgs["D"])  # without the fully connected layers, which are large
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        for index in POOLINGS[3:]:
            self.features[index] = nn.MaxPool2d(3, stride=1, padding=1)
        for index in LAST:
            self.features[index].dilation = self.features[index].padding = (2, 2)

    def make_dilated(self, output_stride: int) -> None:
        """Nothing to do: it is built so."""

    def forward(self, x: Tensor) -> list[Tensor]:
        found = [x]
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in POOLINGS:
                found.append(x)
        return found

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        kept = {name: value for name, value in state_dict.items() if name.startswith("features.")}
        return nn.Module.load_state_dict(self, kept, strict, assign)


ENTRY = {
    "encoder": Vgg16DeepLab,
    "params": {"out_channels": [3, 64, 128, 256, 512, 512]},
    "pretrained_settings": vgg_encoders["vgg16"]["pretrained_settings"],
}
