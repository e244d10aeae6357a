"""What a training of the segmenter starts from: its strategy, its batches, and what is kept beside it."""

import importlib
from typing import Any, NamedTuple

from torch import nn

from stages.common.pictures import Picture
from stages.common.training.batches import Samples
from stages.common.training.samples import MaskedSamples, PlacedSamples
from stages.common.training.strategy import MAIN, Strategy
from stages.segmenter import class_balance
from stages.segmenter.headed import kept
from stages.segmenter.loss_params import Balance, wrong_number
from stages.segmenter.params import Segmenter
from stages.segmenter.strategy import built_terms, loss_module, strategy
from stages.segmenter.terms import Task


class Prepared(NamedTuple):
    strategy: Strategy
    network: nn.Module  # the segmenter, which the strategy trains
    samples: Samples
    config: dict[str, Any]  # for config.json, beside what rebuilds the network
    files: dict[str, bytes]  # for the folder


def learnt(pictures: list[Picture], params: Segmenter) -> list[Picture]:
    """Those that are learnt from. ValueError where none is left."""
    if params.without_class == "learn":
        return pictures
    found = [picture for picture in pictures if picture.labels]
    if not found:
        raise ValueError(
            f"segmenter.without_class is skip, and none of the {len(pictures)} pictures to learn from has a "
            "class: set learn"
        )
    return found


def prepare(step: str, params: Segmenter, classes: int, samples: MaskedSamples) -> Prepared:
    """Counts the classes and trains what the terms need, where params.yaml asks for it.

    `samples` are of (picture, labels). With neither balance nor terms nothing is read or drawn here but the
    network's first weights. ValueError for labels or weights that do not fit.
    """
    task = Task(step, params, classes, samples)
    options, terms = getattr(params, params.loss), built_terms(task)
    weights = weights_of(getattr(options, "balance", "none"), task)
    wrap = getattr(importlib.import_module(loss_module(params.loss)), "samples", None)
    config = {} if weights is None else {"class_weights": weights}
    files = {name: content for term in terms.values() for name, content in term.files.items()}
    learning = strategy(params, classes, weights, terms)
    drawn: Samples = PlacedSamples(samples) if terms else samples
    batches = wrap(drawn, options) if wrap else drawn
    return Prepared(learning, kept(learning.networks[MAIN]), batches, config, files)


def weights_of(balance: Balance, task: Task) -> list[float] | None:
    """Of each class, counted on all labels that are trained on; None where all weigh the same."""
    if isinstance(balance, list):
        if problems := wrong_number(task.params.loss, balance, task.classes):
            raise ValueError(*problems)
        return balance
    if balance in class_balance.COUNTED:
        return class_balance.class_weights(balance, class_balance.count(task.masks(), task.classes))
    return None
