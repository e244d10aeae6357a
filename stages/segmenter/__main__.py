"""Train the segmenter on the labels that segmenter.labels names: data/pseudo_labels -> data/segmenter.

The last epoch is kept: choosing an epoch by a mask would be supervision by pixels.
"""

from pathlib import Path

import torch

from stages.common import door, fingerprint
from stages.common.device import training_place
from stages.common.networks import store
from stages.common.params import load
from stages.common.pictures import Picture, load_pictures
from stages.common.training.loop import fit
from stages.common.training.samples import MaskedSamples
from stages.segmenter.network import saved_config
from stages.segmenter.params import Segmenter
from stages.segmenter.strategy import modules
from stages.segmenter.training import learnt, prepare

DATA, OUT = Path("data"), Path("data/segmenter")


def main() -> str:
    params = load("segmenter", Segmenter)
    pictures = load_pictures()
    train = learnt(pictures.split("train"), params)
    torch.manual_seed(params.seed)
    labels = DATA / str(params.labels)
    key = training_key(params, train, labels)
    made = prepare("segmenter", params, len(pictures.classes), MaskedSamples(train, params, labels))
    history = fit("segmenter", made.strategy, made.samples, params, key)
    config = saved_config(params, pictures.classes) | made.config
    store.save_network(OUT, made.network, config, history, made.files)
    return f"segmenter: {params.network} on {params.encoder.name}, loss {history[-1]['loss']:.3f}"


def training_key(params: Segmenter, train: list[Picture], labels: Path) -> str:
    files = [(p.id, p.content_hash(), fingerprint.file_hash(labels / f"{p.id}.png")) for p in train]
    code = fingerprint.code_hash("stages.segmenter.__main__", *modules(params))
    return fingerprint.key(code, params.model_dump(), files, training_place())


if __name__ == "__main__":
    door.run("segmenter")
