"""OC-CSE (DAVID, "OC-CSE"): what the map of a class marks is erased, until nothing of the class is left.

A frozen ordinary classifier judges the erased picture: it must see the other classes and this one no more.
"""

import functools

from stages.classifier.erasing import ORDINARY, erased, ramp, soft_mask, suppression
from stages.classifier.inputs import Looks
from stages.classifier.loss import soft_margin
from stages.classifier.network import build_classifier
from stages.classifier.ordinary import Ordinary
from stages.classifier.params import Classifier, OcCse
from stages.classifier.samples import ChosenSamples
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, Strategy, Turn

Samples = ChosenSamples  # a class of each picture is drawn, which is the one to erase


def strategy(params: Classifier, classes: int, ordinary: Ordinary) -> Strategy:
    """A new network for `classes` foreground classes beside the `ordinary` one, which stays as it is."""
    assert params.oc_cse is not None  # the schema sees to it
    main = build_classifier(params.encoder, classes)
    turn = Turn(MAIN, functools.partial(loss, params.oc_cse, params.label_smoothing))
    return Strategy({MAIN: main, ORDINARY: ordinary.network}, (turn,))


def loss(options: OcCse, smoothing: float, networks: Networks, batch: Batch, done: float) -> Losses:
    """L = l(s, y) + lambda l(ordinary(x (1 - M)), y without the erased class)."""
    pictures, targets, chosen = batch
    scores, maps = networks[MAIN](pictures, maps=True)
    mask = soft_mask(maps, chosen, pictures.shape[2:], options.normalise)
    parts = {
        "whole": soft_margin(scores, targets, smoothing),
        "suppression": suppression(smoothing, networks, erased(pictures, mask), targets, chosen),
    }
    return {"loss": parts["whole"] + ramp(options.weight, done) * parts["suppression"], **parts}


def looks(params: Classifier, networks: Networks, batch: Batch) -> Looks:
    assert params.oc_cse is not None
    pictures, _, chosen = batch
    _, maps = networks[MAIN](pictures, maps=True)
    mask = soft_mask(maps, chosen, pictures.shape[2:], params.oc_cse.normalise)
    return {"view": pictures, "mask": mask, "the ordinary one sees": erased(pictures, mask)}
