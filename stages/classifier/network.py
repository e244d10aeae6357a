"""The multi-label classifier whose CAM is exact: encoder, global average pooling, linear head."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.networks.encoders import build_encoder
from stages.common.training.params import Encoder


class ClassifierNet(nn.Module):
    """Scores [B, C] of pictures [B, 3, H, W]; the head is a 1x1 convolution without bias.

    Without a bias the score is the mean of the class's map (CHEN Eq. 4.2-4.3), so the map explains
    all of it. `vgg19_chen` has two 3x3 convolutions with 1024 channels before the head (CHEN 4.4.1).
    """

    def __init__(self, encoder: nn.Module, classes: int, chen: bool = False) -> None:
        super().__init__()
        self.encoder = encoder
        channels: int = encoder.out_channels[-1]  # type: ignore[index, assignment]
        self.neck = chen_neck(channels) if chen else nn.Sequential()
        self.head = nn.Conv2d(1024 if chen else channels, classes, 1, bias=False)
        nn.init.zeros_(self.head.weight)  # a linear head learns from zero, and leaves no noise in CAM

    def features(self, pictures: Tensor) -> Tensor:
        """The last layer, [B, D, H / stride, W / stride]."""
        return self.neck(self.encoder(pictures)[-1])

    def pool(self, features: Tensor) -> Tensor:
        """Scores [B, C] of features [B, D, h, w]: pooling first, then one product."""
        pooled = features.mean((2, 3), keepdim=True)
        return self.head(pooled).flatten(1)

    def forward(
        self, pictures: Tensor, maps: bool = False, still_head: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Scores [B, C]; with `maps` the signed class maps [B, C, h, w] too, whose means they are.

        With `still_head` the maps' gradient leaves the head as it is.
        """
        features = self.features(pictures)
        if not maps:
            return self.pool(features)
        weight = self.head.weight.detach() if still_head else self.head.weight
        return self.pool(features), F.conv2d(features, weight)


def chen_neck(channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs in (channels, 1024):
        layers += [nn.Conv2d(inputs, 1024, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def build_classifier(params: Encoder, classes: int) -> ClassifierNet:
    """A new classifier of `classes` foreground classes with the encoder's initial weights."""
    return ClassifierNet(build_encoder(params), classes, chen=params.name == "vgg19_chen")


def rebuild_classifier(config: dict) -> ClassifierNet:
    """The network of a saved config.json, without weights (they are loaded next)."""
    params = Encoder.model_validate(config["encoder"])
    bare = params.model_copy(update={"weights": params.weights.model_copy(update={"source": "none"})})
    with torch.random.fork_rng(devices=[]):
        return build_classifier(bare, len(config["classes"]) - 1)
