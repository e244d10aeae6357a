"""EADER (EADER, Algorithm 1): a localizer and an adversary that must still find what was erased.

The localizer's map of each present class erases that class; the adversary learns the labels of erased
pictures, and the localizer to leave nothing of the class in them.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.classifier.erasing import TINY, erased
from stages.classifier.inputs import Looks
from stages.classifier.loss import soft_margin
from stages.classifier.network import build_classifier
from stages.classifier.ordinary import Ordinary
from stages.classifier.params import Classifier, Eader
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, Strategy, Turn

ADVERSARY = "adversary"


def strategy(params: Classifier, classes: int, ordinary: Ordinary | None = None) -> Strategy:
    """A new localizer for `classes` foreground classes, and its adversary: new, or the `ordinary` one.

    They learn in turn, a block of steps each.
    """
    options = params.eader
    assert options is not None  # the schema sees to it
    main = build_classifier(params.encoder, classes)
    if ordinary is None:
        assert options.encoder is not None
        ordinary = Ordinary(build_classifier(options.encoder, classes), options.encoder)
    turns = Turns(options, params.label_smoothing)
    rate = params.optimizer.lr * options.lr_multiple
    optimizer = params.optimizer.model_copy(update={"lr": rate})
    return Strategy(
        {MAIN: main, ADVERSARY: ordinary.network.requires_grad_()},
        (
            Turn(MAIN, turns.localize, due=lambda step: step // options.block % 2 == 0),
            Turn(
                ADVERSARY,
                turns.find,
                optimizer,
                lambda step: step // options.block % 2 == 1,
                ordinary.encoder,
            ),
        ),
    )


class Pairs(NamedTuple):
    """Each present class of each picture of a batch."""

    pictures: Tensor  # their rows in the batch [P]
    classes: Tensor  # [P], 0-based


@dataclass(frozen=True)
class Turns:
    options: Eader
    smoothing: float

    def localize(self, networks: Networks, batch: Batch, _: float) -> Losses:
        """L = l(s, y) + alpha L_am + beta L_reg, both means over the pairs; 0 without any.

        L_am is what the adversary still sees of an erased class, a probability; L_reg the map's mean. As in
        the author's code the head gets no gradient through the map.
        """
        pictures, targets = batch
        scores, maps = networks[MAIN](pictures, maps=True, still_head=True)
        pairs = pairs_of(targets)
        found = {"whole": soft_margin(scores, targets, self.smoothing)}
        attention = attention_of(maps, pairs, pictures.shape[2:])
        if len(pairs.classes):
            mask = erasing_mask(attention, self.options)
            seen = networks[ADVERSARY](erased(pictures[pairs.pictures], mask)).float()
            found["still_seen"] = seen.gather(1, pairs.classes[:, None]).sigmoid().mean()
            found["area"] = attention.mean()
        else:
            found["still_seen"] = found["area"] = maps.sum() * 0
        loss = found["whole"] + self.options.alpha * found["still_seen"] + self.options.beta * found["area"]
        return {"loss": loss, **found}

    def find(self, networks: Networks, batch: Batch, _: float) -> Losses:
        """l(F(x erased), y): all labels, the erased one included."""
        pictures, targets = batch
        with torch.no_grad():
            maps = networks[MAIN](pictures, maps=True)[1]
        left, rows = adversary_sees(pictures, targets, maps, self.options)
        return {"loss": soft_margin(networks[ADVERSARY](left), targets[rows], self.smoothing)}


def pairs_of(targets: Tensor) -> Pairs:
    rows, classes = torch.nonzero(targets, as_tuple=True)
    return Pairs(rows, classes)


def attention_of(maps: Tensor, pairs: Pairs, size: torch.Size) -> Tensor:
    """a [P, 1, H, W]: each pair's map of maps [B, C, h, w], up, ReLU, min-max; 0 where it is constant."""
    own = maps.float()[pairs.pictures, pairs.classes][:, None]
    positive = F.interpolate(own, size, mode="bilinear", align_corners=False).relu()
    low, high = positive.amin((1, 2, 3), keepdim=True), positive.amax((1, 2, 3), keepdim=True)
    return (positive - low) / (high - low + TINY)


def erasing_mask(attention: Tensor, options: Eader) -> Tensor:
    """m = sigmoid(omega (a - sigma)), nearly 0 or 1, and still with a gradient around a = sigma."""
    return torch.sigmoid(options.omega * (attention - options.sigma))


def adversary_sees(pictures: Tensor, targets: Tensor, maps: Tensor, options: Eader) -> tuple[Tensor, Tensor]:
    """The erased picture of each pair, then the pictures without a class, whole; and their rows."""
    pairs = pairs_of(targets)
    bare = torch.nonzero(targets.sum(1) == 0).flatten()
    mask = erasing_mask(attention_of(maps, pairs, pictures.shape[2:]), options)
    left = erased(pictures[pairs.pictures], mask)
    return torch.cat([left, pictures[bare]]), torch.cat([pairs.pictures, bare])


def looks(params: Classifier, networks: Networks, batch: Batch) -> Looks:
    """One pair of each picture, its first class."""
    assert params.eader is not None
    pictures, targets = batch
    _, maps = networks[MAIN](pictures, maps=True)
    pairs = Pairs(torch.arange(len(pictures), device=pictures.device), targets.argmax(1))
    mask = erasing_mask(attention_of(maps, pairs, pictures.shape[2:]), params.eader)
    mask = mask * (targets.sum(1) > 0)[:, None, None, None]  # a picture without a class is seen whole
    return {"view": pictures, "mask": mask, "the adversary sees": erased(pictures, mask)}
