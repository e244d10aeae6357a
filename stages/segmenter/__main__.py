"""Train the segmenter on the pseudo-labels: data/pseudo_labels -> data/segmenter.

The last epoch is kept: choosing an epoch by a mask would be supervision by pixels.
"""

from pathlib import Path

import torch

from stages.common import door, fingerprint, networks
from stages.common.device import training_place
from stages.common.params import load
from stages.common.pictures import Picture, load_pictures
from stages.common.training.loop import fit
from stages.common.training.samples import MaskedSamples
from stages.common.training.strategy import MAIN
from stages.segmenter.params import Segmenter
from stages.segmenter.strategy import strategy

LABELS, OUT = Path("data/pseudo_labels"), Path("data/segmenter")


def main() -> str:
    params = load("segmenter", Segmenter)
    pictures = load_pictures()
    train = pictures.split("train")
    torch.manual_seed(params.seed)
    learning = strategy(params, len(pictures.classes))
    samples, key = MaskedSamples(train, params, LABELS), training_key(params, train)
    history = fit("segmenter", learning, samples, params, key)
    config = {
        "classes": list(pictures.classes),
        **params.model_dump(include={"network", "options", "encoder"}),
    }
    networks.save_network(OUT, learning.networks[MAIN], config, history)
    return f"segmenter: {params.network} on {params.encoder.name}, loss {history[-1]['loss']:.3f}"


def training_key(params: Segmenter, train: list[Picture]) -> str:
    hashed = fingerprint.file_hash
    files = [(p.id, hashed(p.path), hashed(LABELS / f"{p.id}.png")) for p in train]
    code = fingerprint.code_hash("stages.segmenter.__main__")
    return fingerprint.key(code, params.model_dump(), files, training_place())


if __name__ == "__main__":
    door.run("segmenter")
