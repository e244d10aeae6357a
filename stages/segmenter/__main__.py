"""Train the segmenter on the pseudo-labels: data/pseudo_labels -> data/segmenter.

The last epoch is kept: choosing an epoch by a mask would be supervision by pixels.
"""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.common import door, fingerprint, networks, training
from stages.common.artifacts import UNKNOWN
from stages.common.device import training_place
from stages.common.params import load
from stages.common.pictures import Picture, load_pictures
from stages.common.samples import MaskedSamples
from stages.segmenter.network import build_segmenter, saved_config
from stages.segmenter.params import Segmenter

DATA, OUT = Path("data"), Path("data/segmenter")


def main() -> str:
    params = load("segmenter", Segmenter)
    pictures = load_pictures()
    train = pictures.split("train")
    torch.manual_seed(params.seed)
    model = build_segmenter(params.network, params.encoder, len(pictures.classes), params.options)
    labels = DATA / str(params.labels)
    samples, key = MaskedSamples(train, params, labels), training_key(params, train, labels)
    history = training.fit("segmenter", model, samples, cross_entropy, params, key)
    networks.save_network(OUT, model, saved_config(params, pictures.classes), history)
    return f"segmenter: {params.network} on {params.encoder.name}, loss {history[-1]['loss']:.3f}"


def cross_entropy(model: torch.nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """Pixel-wise cross-entropy; pixels labelled 255 never count (a batch of nothing else costs 0)."""
    pictures, labels = batch
    total = F.cross_entropy(model(pictures).float(), labels, ignore_index=UNKNOWN, reduction="sum")
    return {"loss": total / (labels != UNKNOWN).sum().clamp_min(1)}


def training_key(params: Segmenter, train: list[Picture], labels: Path) -> str:
    hashed = fingerprint.file_hash
    files = [(p.id, hashed(p.path), hashed(labels / f"{p.id}.png")) for p in train]
    code = fingerprint.code_hash("stages.segmenter.__main__")
    return fingerprint.key(code, params.model_dump(), files, training_place())


if __name__ == "__main__":
    door.run("segmenter")
