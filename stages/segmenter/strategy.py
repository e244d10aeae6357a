"""How the segmenter learns from masks, whatever they come from: one network, a loss of its pixels."""

from stages.common.training.strategy import MAIN, Batch, Losses, Networks, Strategy, one
from stages.segmenter.losses import cross_entropy
from stages.segmenter.network import build_segmenter
from stages.segmenter.params import Segmenter


def strategy(params: Segmenter, classes: int) -> Strategy:
    """A new network for `classes` classes, the background included; batches of MaskedSamples."""
    return one(build_segmenter(params.network, params.encoder, classes, params.options), pixel_loss)


def pixel_loss(networks: Networks, batch: Batch, _: float) -> Losses:
    pictures, labels = batch
    return {"loss": cross_entropy.loss(networks[MAIN](pictures), labels)}
