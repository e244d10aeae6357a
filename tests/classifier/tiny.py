"""Tiny classifiers, pictures and parameters that the tests of the training strategies share."""

import math
from pathlib import Path

import numpy as np
import torch
from ruamel.yaml import YAML

from stages.classifier import eader, oc_cse, p_noc, p_oc, plain, puzzle
from stages.classifier.network import ClassifierNet, build_classifier
from stages.classifier.ordinary import Ordinary
from stages.classifier.params import Classifier
from stages.common.params import check
from stages.common.training.loop import fit
from stages.common.training.strategy import Strategy

ROOT = Path(__file__).resolve().parents[2]
CLASSES, SIDE = 3, 32
METHODS = {"plain": plain, "puzzle": puzzle, "oc_cse": oc_cse, "p_oc": p_oc, "p_noc": p_noc, "eader": eader}
CHOOSING = ("oc_cse", "p_oc", "p_noc")  # their batches name the class to erase


def params(method: str, own: dict | None = None, **changes) -> Classifier:
    """The shipped section made small, with `own` changes of the method's keys."""
    values = YAML(typ="safe").load(ROOT / "params.yaml")["classifier"]
    values |= {"method": method, "batch": 3, "epochs": 2, "threads": 1, **changes}
    values["augment"]["crop"] = SIDE
    values[method] |= own or {}
    values["ordinary"] = "ordinary_classifier" if method in (*CHOOSING, "eader") else "nothing"
    return check(Classifier, values, "test")


def sighted(network: ClassifierNet, seed: int = 0) -> ClassifierNet:
    """With a head that is not 0, where all maps are alike."""
    torch.manual_seed(seed)
    torch.nn.init.normal_(network.head.weight, std=3)
    return network


def ordinary(chosen: Classifier) -> Ordinary:
    torch.manual_seed(5)
    network = sighted(build_classifier(chosen.encoder, CLASSES), 5).eval().requires_grad_(False)
    return Ordinary(network, chosen.encoder)


def new(chosen: Classifier) -> Strategy:
    torch.manual_seed(chosen.seed)
    helpers = () if chosen.ordinary == "nothing" else (ordinary(chosen),)
    torch.manual_seed(chosen.seed)
    return METHODS[chosen.method].strategy(chosen, CLASSES, *helpers)


def batch(choosing: bool = True) -> tuple[torch.Tensor, ...]:
    """Pictures of two classes, of one, and of none; of the first the second class is chosen."""
    pictures = torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([[1.0, 1, 0], [0, 0, 1], [0, 0, 0]])
    chosen = torch.tensor([[0.0, 1, 0], [0, 0, 1], [0, 0, 0]])
    return (pictures, targets, chosen) if choosing else (pictures, targets)


class Pictures:
    """Seven training pictures; a kill when the `stop_at`-th is drawn."""

    def __init__(self, choosing: bool, stop_at: int = -1) -> None:
        self.choosing, self.stop_at, self.drawn = choosing, stop_at, 0

    def __len__(self) -> int:
        return 7

    def sample(self, index: int, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
        self.drawn += 1
        if self.drawn == self.stop_at:
            raise KeyboardInterrupt
        picture = torch.from_numpy(rng.normal(size=(3, SIDE, SIDE)).astype(np.float32))
        targets = torch.tensor([float((index + 1) >> bit & 1) for bit in range(CLASSES)])
        chosen = torch.nn.functional.one_hot(targets.argmax(), CLASSES).float()
        return (picture, targets, chosen) if self.choosing else (picture, targets)


def trained(chosen: Classifier, stop_at: int = -1, key: str = "key") -> Strategy:
    strategy = new(chosen)
    fit("a", strategy, Pictures(chosen.method in CHOOSING, stop_at), chosen, key)
    return strategy


def state(strategy: Strategy, name: str = "main") -> dict[str, torch.Tensor]:
    return {key: tensor.clone() for key, tensor in strategy.networks[name].state_dict().items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def by_loops(scores, targets):
    """The loss of scores and targets [N, C], cell by cell."""
    costs = [
        math.log1p(math.exp(-s if t else s))
        for row, wanted in zip(scores.tolist(), targets.tolist(), strict=True)
        for s, t in zip(row, wanted, strict=True)
    ]
    return sum(costs) / len(costs)
