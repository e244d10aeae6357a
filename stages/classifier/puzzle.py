"""Puzzle-CAM (DAVID, "Puzzle-CAM"): the maps of a picture and of its quarters, put together, must agree."""

import functools

from torch import Tensor

from stages.classifier.inputs import Looks, heat
from stages.classifier.loss import soft_margin
from stages.classifier.network import build_classifier
from stages.classifier.params import Classifier, Puzzle
from stages.classifier.tiles import merge, split
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, Strategy, one


def strategy(params: Classifier, classes: int) -> Strategy:
    """A new network for `classes` foreground classes; batches of LabelledSamples."""
    assert params.puzzle is not None  # the schema sees to it
    network = build_classifier(params.encoder, classes)
    return one(network, functools.partial(loss, params.puzzle, params.label_smoothing))


def loss(options: Puzzle, smoothing: float, networks: Networks, batch: Batch, done: float) -> Losses:
    """L = l(s, y) + l(s', y) + lambda L_re, where s' are the scores of the quarters' maps."""
    pictures, targets = batch
    scores, maps = networks[MAIN](pictures, maps=True)
    joined = quarters(networks, pictures)
    parts = {
        "whole": soft_margin(scores, targets, smoothing),
        "quarters": soft_margin(joined.mean((2, 3)), targets, smoothing),
        "reconstruction": reconstruction(maps, joined, targets),
    }
    total = parts["whole"] + parts["quarters"] + weight(options, done) * parts["reconstruction"]
    return {"loss": total, **parts}


def quarters(networks: Networks, pictures: Tensor) -> Tensor:
    """The maps [B, C, h, w] of pictures [B, 3, H, W], computed in their quarters."""
    return merge(networks[MAIN](split(pictures), maps=True)[1])


def weight(options: Puzzle, done: float) -> float:
    """lambda of L_re: from 0 to its weight in the first `ramp` of the steps, then constant."""
    return options.weight * (min(1.0, done / options.ramp) if options.ramp else 1.0)


def reconstruction(maps: Tensor, joined: Tensor, targets: Tensor) -> Tensor:
    """L_re: the mean of |A - A'| over the places and the present classes of the batch; 0 without any.

    Of maps A and A' [B, C, h, w] and targets [B, C] in 0/1. The slide and the published code divide by all
    classes, so that their lambda of 4 is 0.31 here for VOC's 1.555 labels of 20, and other sets need another.
    """
    apart = (maps - joined).abs().mean((2, 3))
    return (targets * apart).sum() / targets.sum().clamp_min(1)


def looks(params: Classifier, networks: Networks, batch: Batch) -> Looks:
    """Of the class to erase, where the batch names one; else of each picture's first."""
    pictures, *labels = batch
    _, maps = networks[MAIN](pictures, maps=True)
    shown = labels[-1].argmax(1)
    return {
        "view": pictures,
        "map": heat(maps, shown),
        "map of the quarters": heat(quarters(networks, pictures), shown),
    }
