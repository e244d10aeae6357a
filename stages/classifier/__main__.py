"""Train the classifier on image-level labels: data/dataset -> data/classifier."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from stages.classifier import inputs, training
from stages.classifier.ordinary import Ordinary, ordinary_key, read_ordinary
from stages.classifier.params import Classifier
from stages.common import door, fingerprint
from stages.common.artifacts import write_atomic
from stages.common.device import device
from stages.common.drawing.canvas import class_names
from stages.common.drawing.sheet import choose
from stages.common.params import load
from stages.common.pictures import Pictures, load_pictures
from stages.common.training.samples import LabelledSamples
from stages.common.training.strategy import Strategy

OUT = Path("data/classifier")
METRICS, INPUTS = Path("reports/classifier/metrics.json"), Path("reports/classifier/inputs.png")
SHOWN = 6  # pictures on the sheet of inputs


def main() -> str:
    params = load("classifier", Classifier)
    pictures = load_pictures()
    module = importlib.import_module(method(params))
    if not hasattr(module, "strategy"):
        return untrained(module, params, pictures)
    strategy = new_strategy(module, params, len(pictures.classes) - 1)
    kind = getattr(module, "Samples", LabelledSamples)
    samples: LabelledSamples = kind(pictures.split("train"), params, len(pictures.classes) - 1)
    line = training.train(
        "classifier", strategy, samples, params, pictures, training_key(params, pictures), (OUT, METRICS)
    )
    write_atomic(
        INPUTS, inputs_sheet(module, strategy.networks, samples, params, class_names(pictures.classes))
    )
    return line


def untrained(module: Any, params: Classifier, pictures: Pictures) -> str:
    """A network that is kept as it comes; its history is one row, of what it says of val."""
    model, own = module.network(params, pictures.classes)
    row = {"epoch": 0.0, **training.curve(pictures, params, model.to(device()))}
    line = training.keep("classifier", model, params, pictures, [row], (OUT, METRICS), own)
    samples = module.Samples(pictures.split("train"), params, len(pictures.classes) - 1)
    sheet = inputs_sheet(module, {}, samples, params, class_names(pictures.classes))
    write_atomic(INPUTS, sheet)
    return line


def method(params: Classifier) -> str:
    """The module of the training strategy: `strategy(params, classes[, ordinary]) -> Strategy`.

    Of one that trains nothing: `network(params, classes)`, and `Samples`.
    """
    return f"stages.classifier.{params.method}"


def new_strategy(module: Any, params: Classifier, classes: int) -> Strategy:
    torch.manual_seed(params.seed)
    helpers: tuple[Ordinary, ...] = () if params.ordinary == "nothing" else (read_ordinary(),)
    strategy: Strategy = module.strategy(params, classes, *helpers)
    return strategy


def training_key(params: Classifier, pictures: Pictures) -> str:
    code = fingerprint.code_hash("stages.classifier.__main__", method(params))
    helper = [] if params.ordinary == "nothing" else ordinary_key()
    return training.key(params, pictures, code, helper)


@torch.inference_mode()
def inputs_sheet(
    module: Any,
    networks: Mapping[str, nn.Module],
    samples: LabelledSamples,
    params: Classifier,
    classes: Sequence[str],
) -> bytes:
    """Some training pictures with a class, as the strategy shows them to its trained networks."""
    rows = {samples.pictures[row].id: row for row in range(len(samples)) if samples.targets[row].any()}
    shown = [rows[name] for name in choose(list(rows), SHOWN)] or [0]
    drawn = [samples.sample(row, np.random.default_rng((params.seed, 0, row))) for row in shown]
    place = device()
    batch = tuple(torch.stack(tensors).to(place) for tensors in zip(*drawn, strict=True))
    there = {name: network.to(place).eval() for name, network in networks.items()}
    own = getattr(module, "looks", None)
    looks: inputs.Looks = own(params, there, batch) if own else {"view": batch[0]}
    told = batch[2] if len(batch) > 2 else batch[1]  # the class to erase where one is drawn, else the first
    what = [classes[int(one.argmax()) + 1] if one.any() else "no class" for one in told]
    names = [f"{samples.pictures[row].id}: {name}" for row, name in zip(shown, what, strict=True)]
    title = f"What {params.method} {'trains on' if networks else 'sees'}"
    return inputs.sheet(title, names, looks, params.encoder.mean, params.encoder.std)


if __name__ == "__main__":
    door.run("classifier")
