"""What our two VGGs of stride 8 have in common: poolings 4 and 5 keep the resolution."""

from collections.abc import Callable
from typing import Any

from segmentation_models_pytorch.encoders._base import EncoderMixin
from torch import Tensor, nn


class VggStride8(nn.Module, EncoderMixin):
    """Levels 1 to 3 end at the first three poolings (strides 2, 4, 8); 4 and 5 keep stride 8.

    `features` are the library's layers, whose names stay, and `kept` makes what stands in place of each
    of the last two of `poolings`, their indices.
    """

    def __init__(
        self, name: str, features: nn.Sequential, poolings: tuple[int, ...], kept: Callable[[], nn.Module],
        out_channels: list[int], depth: int, output_stride: int,
    ) -> None:  # fmt: skip
        if output_stride != 8:
            raise ValueError(f"{name} keeps the resolution at two poolings: its output stride is 8")
        super().__init__()
        self._depth, self._in_channels = depth, 3
        self._out_channels, self._output_stride = out_channels, output_stride
        self.features, self.poolings = features, poolings
        for index in poolings[3:]:
            self.features[index] = kept()

    def make_dilated(self, output_stride: int) -> None:
        """Nothing to do: it is built so."""

    def forward(self, x: Tensor) -> list[Tensor]:
        found = [x]
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.poolings:
                found.append(x)
        return found

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """The library's weights have fully connected layers too."""
        kept = {name: value for name, value in state_dict.items() if name.startswith("features.")}
        return nn.Module.load_state_dict(self, kept, strict, assign)
