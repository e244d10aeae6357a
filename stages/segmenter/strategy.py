"""How the segmenter learns from masks, whatever they come from: one network, a loss of its pixels, terms."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from stages.common.params import Section
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, Strategy, Turn
from stages.segmenter.headed import headed
from stages.segmenter.losses import Extra
from stages.segmenter.network import build_segmenter, network_module
from stages.segmenter.params import Segmenter
from stages.segmenter.terms import Task, Term, View

PixelLoss = Callable[[Tensor, Tensor, Section, Extra], Tensor]


def strategy(
    params: Segmenter,
    classes: int,
    weights: list[float] | None = None,
    terms: Mapping[str, Term] | None = None,
) -> Strategy:
    """A new network for `classes` classes, the background included; batches of MaskedSamples, or the loss's.

    `weights` are the classes'; `terms` are those that are on, and with any the batches end with `inside`.
    """
    terms = terms or {}
    network = build_segmenter(params.network, params.encoder, classes, params.options)
    heads = {name: term.head for name, term in terms.items() if term.head is not None}
    helpers = {name: term.network for name, term in terms.items() if term.network is not None}
    by_class = None if weights is None else torch.tensor(weights)
    loss = importlib.import_module(loss_module(params.loss)).loss
    objective = Objective(loss, getattr(params, params.loss), by_class, terms)
    main = headed(network, params.network, heads)
    return Strategy({MAIN: main, **helpers}, (Turn(MAIN, objective),))


def built_terms(task: Task) -> dict[str, Term]:
    """The terms that are on, by name; what they need is made now."""
    return {
        name: importlib.import_module(term_module(name)).build(options, task)
        for name, options in task.params.terms.on().items()
    }


def loss_module(loss: str) -> str:
    """Where the loss of that name is (stages/segmenter/losses/__init__.py says what it holds)."""
    return f"stages.segmenter.losses.{loss}"


def term_module(term: str) -> str:
    """Where the term of that name is (stages/segmenter/terms/__init__.py says what it holds)."""
    return f"stages.segmenter.terms.{term}"


def modules(params: Segmenter) -> tuple[str, ...]:
    """What params.yaml chooses: the code of a training's key."""
    return network_module(params.network), loss_module(params.loss), *map(term_module, params.terms.on())


@dataclass(frozen=True)
class Objective:
    """The loss of a step: of the pixels, and of the terms that are on."""

    pixels: PixelLoss
    options: Section
    weights: Tensor | None = None  # of the classes
    terms: Mapping[str, Term] = field(default_factory=dict)

    def __call__(self, networks: Networks, batch: Batch, done: float) -> Losses:
        """`loss`; with terms also its parts, `pixel` and each term by its name."""
        pictures, labels, *maps = batch
        inside = maps.pop() if self.terms else None
        extra = Extra(self.weights, *maps)
        found, features = self.called(networks[MAIN], pictures)
        pixel = weighted(found, lambda scores: self.pixels(scores, labels, self.options, extra))
        if inside is None:
            return {"loss": pixel}
        total, parts = pixel, {"pixel": pixel}
        for name, term in self.terms.items():
            helper, of_head = networks.get(name), features.get(name)
            told = term.loss(View(scores_of(found), labels, pictures, done, helper, inside, of_head))
            total, parts = total + told[name], parts | told
        return {"loss": total, **parts}

    def called(self, network: Callable[..., Any], pictures: Tensor) -> tuple[Any, dict[str, Tensor]]:
        """What the network gives, and what each term's head makes of it (stages/segmenter/headed.py)."""
        if any(term.head for term in self.terms.values()):
            found, features = network(pictures)
            return found, features
        return network(pictures), {}


def weighted(found: Tensor | list[tuple[Tensor, float]], loss: Callable[[Tensor], Tensor]) -> Tensor:
    """The loss of what a network gave while training: scores, or several with the weight of each loss."""
    if isinstance(found, Tensor):
        return loss(found)
    first, *others = (weight * loss(scores) for scores, weight in found)
    return sum(others, first)


def scores_of(found: Tensor | list[tuple[Tensor, float]]) -> Tensor:
    """The scores that the terms look at."""
    return found if isinstance(found, Tensor) else found[0][0]
