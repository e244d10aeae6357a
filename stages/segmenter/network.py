"""The segmenter's network by its name: new, saved and rebuilt."""

import importlib
from typing import Any

import torch
from torch import nn

from stages.common.training.params import Encoder
from stages.segmenter.params import Segmenter


def network_module(network: str) -> str:
    """Where the network of that name is (stages/segmenter/networks/__init__.py says what it holds)."""
    return f"stages.segmenter.networks.{network}"


def build_segmenter(network: str, encoder: Encoder, classes: int, options: dict[str, Any]) -> nn.Module:
    """Scores [B, classes, H, W] of pictures [B, 3, H, W] with sides that DIVISOR divides.

    `classes` counts the background. Raises ValueError for an option that the network does not take.
    """
    model: nn.Module = importlib.import_module(network_module(network)).build(encoder, classes, options)
    return model


def settled(network: str, encoder: Encoder, options: dict[str, Any]) -> dict[str, Any]:
    """The options with the defaults that the network has of its own."""
    own = getattr(importlib.import_module(network_module(network)), "settled", None)
    return own(encoder, options) if own else options


def saved_config(params: Segmenter, classes: tuple[str, ...]) -> dict[str, Any]:
    """What config.json holds: the options are written out, so that a new default changes no old network."""
    config = {"classes": list(classes), **params.model_dump(include={"network", "options", "encoder"})}
    return {**config, "options": settled(params.network, params.encoder, params.options)}


def rebuild_segmenter(config: dict[str, Any]) -> nn.Module:
    """The network of a saved config.json, without weights (they are loaded next).

    Raises ValueError for one whose options were not written out: which they were, nobody knows any more.
    """
    network = config["network"].replace("+", "plus")  # deeplabv3+ was a second name once
    params, options = Encoder.model_validate(config["encoder"]), config["options"]
    if settled(network, params, options) != options:
        raise ValueError(
            f"the saved {network} is of an older version, which did not write down its options: "
            "its weights may fit no network of this one; `wsss run` trains it again"
        )
    bare = params.model_copy(update={"weights": params.weights.model_copy(update={"source": "none"})})
    with torch.random.fork_rng(devices=[]):
        return build_segmenter(network, bare, len(config["classes"]), options)
