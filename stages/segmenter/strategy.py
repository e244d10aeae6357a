"""How the segmenter learns from masks, whatever they come from: one network, a loss of its pixels."""

import functools
import importlib
from types import ModuleType

from stages.common.training.strategy import MAIN, Batch, Losses, Networks, Strategy, one
from stages.segmenter.network import build_segmenter
from stages.segmenter.params import Segmenter


def strategy(params: Segmenter, classes: int) -> Strategy:
    """A new network for `classes` classes, the background included; batches of MaskedSamples."""
    network = build_segmenter(params.network, params.encoder, classes, params.options)
    return one(network, functools.partial(pixel_loss, loss_of(params)))


def loss_of(params: Segmenter) -> ModuleType:
    """The file of the chosen loss: `loss(scores [B, C, H, W], labels [B, H, W]) -> scalar`."""
    return importlib.import_module(loss_module(params))


def loss_module(params: Segmenter) -> str:
    return f"stages.segmenter.losses.{params.loss}"


def pixel_loss(loss: ModuleType, networks: Networks, batch: Batch, _: float) -> Losses:
    pictures, labels = batch
    return {"loss": loss.loss(networks[MAIN](pictures), labels)}
