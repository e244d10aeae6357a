"""The plain classifier: one network learns each picture's labels."""

import functools

from stages.classifier.loss import soft_margin
from stages.classifier.network import build_classifier
from stages.classifier.params import Recogniser
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, Strategy, one


def strategy(params: Recogniser, classes: int) -> Strategy:
    """A new network for `classes` foreground classes; batches of LabelledSamples."""
    network = build_classifier(params.encoder, classes)
    return one(network, functools.partial(recognise, params.label_smoothing))


def recognise(smoothing: float, networks: Networks, batch: Batch, _: float) -> Losses:
    pictures, targets = batch
    return {"loss": soft_margin(networks[MAIN](pictures), targets, smoothing)}
