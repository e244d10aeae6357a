"""A network while it trains, with further heads on the map that it makes its scores of."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from stages.segmenter.network import network_module


class Headed(nn.Module):
    """The heads learn as new layers do. They are of the training alone: what is kept is `network`."""

    def __init__(self, network: nn.Module, scoring: nn.Conv2d, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.network, self.heads = network, nn.ModuleDict(heads)
        self._scoring = (scoring,)  # in a tuple: its weights are the network's

    @property
    def encoder(self) -> nn.Module:
        """What the loop freezes, and knows old layers by."""
        return self.network.encoder  # type: ignore[return-value]

    def forward(self, pictures: Tensor) -> tuple[Any, dict[str, Tensor]]:
        """What the network gives of pictures [B, 3, H, W], and [B, D, h, w] of each head, by its name."""
        maps: list[Tensor] = []
        watch = self._scoring[0].register_forward_pre_hook(lambda _, inputs: maps.append(inputs[0]))
        try:
            found = self.network(pictures)
        finally:
            watch.remove()
        (shared,) = maps  # one: the network scores once
        return found, {name: head(shared) for name, head in self.heads.items()}


def headed(network: nn.Module, name: str, heads: Mapping[str, Callable[[int], nn.Module]]) -> nn.Module:
    """The network of that name with heads, each made for the channels of the shared map; else as it is."""
    if not heads:
        return network
    scoring: nn.Conv2d = importlib.import_module(network_module(name)).scoring(network)
    made = {key: head(scoring.in_channels) for key, head in heads.items()}
    return Headed(network, scoring, made)


def kept(network: nn.Module) -> nn.Module:
    """What is saved of what has trained."""
    return network.network if isinstance(network, Headed) else network
