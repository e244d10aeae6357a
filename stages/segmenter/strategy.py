"""How the segmenter learns from masks, whatever they come from: one network, a loss of its pixels."""

import functools
import importlib
from collections.abc import Callable

from torch import Tensor

from stages.common.params import Section
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, Strategy, one
from stages.segmenter.network import build_segmenter, network_module
from stages.segmenter.params import Segmenter


def strategy(params: Segmenter, classes: int) -> Strategy:
    """A new network for `classes` classes, the background included; batches of MaskedSamples."""
    network = build_segmenter(params.network, params.encoder, classes, params.options)
    loss = importlib.import_module(loss_module(params.loss)).loss
    return one(network, functools.partial(pixel_loss, loss, getattr(params, params.loss)))


def loss_module(loss: str) -> str:
    """Where `loss(scores [B, C, H, W], labels [B, H, W], its section) -> scalar` of that name is."""
    return f"stages.segmenter.losses.{loss}"


def modules(params: Segmenter) -> tuple[str, str]:
    """What params.yaml chooses: the code of a training's key."""
    return network_module(params.network), loss_module(params.loss)


def pixel_loss(
    loss: Callable[[Tensor, Tensor, Section], Tensor],
    options: Section,
    networks: Networks,
    batch: Batch,
    _: float,
) -> Losses:
    pictures, labels = batch
    return {"loss": weighted(networks[MAIN](pictures), lambda scores: loss(scores, labels, options))}


def weighted(found: Tensor | list[tuple[Tensor, float]], loss: Callable[[Tensor], Tensor]) -> Tensor:
    """The loss of what a network gave while training: scores, or several with the weight of each loss."""
    if isinstance(found, Tensor):
        return loss(found)
    first, *others = (weight * loss(scores) for scores, weight in found)
    return sum(others, first)
