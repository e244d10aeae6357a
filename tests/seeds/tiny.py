"""Small classifiers with weights that are not the initial ones, in double precision."""

import torch
from torch import nn

from stages.classifier.network import ClassifierNet, build_classifier
from stages.common.training.params import Encoder


def encoder(name: str, stride: int) -> Encoder:
    return Encoder(
        name=name, output_stride=stride, mean=[0.0] * 3, std=[1.0] * 3, freeze=[], batch_norm="train",
        weights={"source": "none", "name": "", "sha256": ""},
    )  # fmt: skip


def classifier(name: str = "small", stride: int = 8) -> ClassifierNet:
    """Every bias, batch norm's statistics and the head are random."""
    torch.manual_seed(0)
    model = build_classifier(encoder(name, stride), 4)
    torch.nn.init.normal_(model.head.weight)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.normal_(module.bias, std=0.3)
    return model.double().eval().requires_grad_(False)


def pictures(side: int = 33) -> torch.Tensor:
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1)).double()


class Chain(nn.Sequential):
    """An encoder of modules in a row."""

    def __init__(self, *modules: nn.Module, channels: int, stride: int) -> None:
        super().__init__(*modules)
        self.out_channels, self.output_stride = (3, channels), stride

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [super().forward(x)]


def chain(*modules: nn.Module, channels: int, stride: int = 1, classes: int = 4) -> ClassifierNet:
    """A classifier on modules with random weights, batch norms that do something, in double precision."""
    torch.manual_seed(0)
    model = ClassifierNet(Chain(*modules, channels=channels, stride=stride), classes)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.reset_parameters()
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            nn.init.normal_(module.bias, std=0.3)
    nn.init.normal_(model.head.weight)
    return model.double().eval().requires_grad_(False)
