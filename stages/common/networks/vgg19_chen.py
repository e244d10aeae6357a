"""VGG-19 without its last two poolings (CHEN 4.4.1, step 1), so its features have stride 8.

The 3x3 convolutions with 1024 channels that replace the fully connected layers are new layers,
so they belong to the classifier (`stages/classifier/network.py`), not to this encoder.
"""

from typing import Any

import torchvision
from segmentation_models_pytorch.encoders._base import EncoderMixin
from segmentation_models_pytorch.encoders.vgg import vgg_encoders
from torch import Tensor, nn

POOLINGS = (4, 9, 18, 27, 36)  # indices in torchvision's vgg19().features


class Vgg19Chen(nn.Module, EncoderMixin):
    """Levels 1 to 3 end at the poolings that stay (strides 2, 4, 8); 4 and 5 keep stride 8."""

    def __init__(self, out_channels: list[int], depth: int = 5, output_stride: int = 8) -> None:
        if output_stride != 8:
            raise ValueError("vgg19_chen drops two poolings: its output stride is 8")
        super().__init__()
        self._depth, self._in_channels = depth, 3
        self._out_channels, self._output_stride = out_channels, output_stride
        self.features = torchvision.models.vgg19(weights=None).features
        for index in POOLINGS[3:]:
            self.features[index] = nn.Identity()  # keeps the library's parameter names

    def make_dilated(self, output_stride: int) -> None:
        """Nothing to do: CHEN drops the poolings and keeps the kernels dense."""

    def forward(self, x: Tensor) -> list[Tensor]:
        features = [x]
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in POOLINGS:
                features.append(x)
        return features

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        kept = {name: value for name, value in state_dict.items() if name.startswith("features.")}
        return nn.Module.load_state_dict(self, kept, strict, assign)


ENTRY = {
    "encoder": Vgg19Chen,
    "params": {"out_channels": [3, 64, 128, 256, 512, 512]},
    "pretrained_settings": vgg_encoders["vgg19"]["pretrained_settings"],
}
