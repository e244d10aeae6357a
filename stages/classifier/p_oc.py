"""P-OC (DAVID, "Exploration of Complementary WSSS Strategies"): Puzzle-CAM and OC-CSE together."""

import functools
from typing import NamedTuple

from torch import Tensor

from stages.classifier import oc_cse, puzzle
from stages.classifier.erasing import ORDINARY, erased, ramp, soft_mask, suppression
from stages.classifier.inputs import Looks
from stages.classifier.loss import soft_margin
from stages.classifier.network import build_classifier
from stages.classifier.ordinary import Ordinary
from stages.classifier.params import Classifier, POc
from stages.classifier.samples import ChosenSamples
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, Strategy, Turn

Samples = ChosenSamples  # a class of each picture is drawn, which is the one to erase


class Seen(NamedTuple):
    """The losses, and what the network saw and left of the batch."""

    losses: Losses
    maps: Tensor  # of the whole pictures [B, C, h, w]
    left: Tensor  # the erased pictures [B, 3, H, W]


def strategy(params: Classifier, classes: int, ordinary: Ordinary) -> Strategy:
    """A new network for `classes` foreground classes beside the `ordinary` one, which stays as it is."""
    assert params.p_oc is not None  # the schema sees to it
    main = build_classifier(params.encoder, classes)
    turn = Turn(MAIN, functools.partial(loss, params.p_oc, params.label_smoothing))
    return Strategy({MAIN: main, ORDINARY: ordinary.network}, (turn,))


def loss(options: POc, smoothing: float, networks: Networks, batch: Batch, done: float) -> Losses:
    return seen(options, smoothing, networks, batch, done).losses


def seen(options: POc, smoothing: float, networks: Networks, batch: Batch, done: float) -> Seen:
    """L = l(s, y) + l(s', y) + lambda_re L_re + lambda_cse L_cse; the mask is that of the whole picture."""
    pictures, targets, chosen = batch
    scores, maps = networks[MAIN](pictures, maps=True)
    joined = puzzle.quarters(networks, pictures)
    left = erased(pictures, soft_mask(maps, chosen, pictures.shape[2:], options.oc_cse.normalise))
    parts = {
        "whole": soft_margin(scores, targets, smoothing),
        "quarters": soft_margin(joined.mean((2, 3)), targets, smoothing),
        "reconstruction": puzzle.reconstruction(maps, joined, targets),
        "suppression": suppression(smoothing, networks, left, targets, chosen),
    }
    total = (
        parts["whole"]
        + parts["quarters"]
        + puzzle.weight(options.puzzle, done) * parts["reconstruction"]
        + ramp(options.oc_cse.weight, done) * parts["suppression"]
    )
    return Seen({"loss": total, **parts}, maps, left)


def looks(params: Classifier, networks: Networks, batch: Batch) -> Looks:
    assert params.p_oc is not None
    own = params.model_copy(update={"oc_cse": params.p_oc.oc_cse})
    return puzzle.looks(own, networks, batch) | oc_cse.looks(own, networks, batch)
