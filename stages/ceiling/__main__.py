"""The fully supervised ceiling: the segmenter of the recipe, trained on the masks and scored on val.

It is outside the recipe: the graph has this stage only where `ceiling.of` asks for it, and nothing reads
what it makes but the page of the report. Same network, same training, same inference as the segmenter and
the predictions; only the labels differ.
"""

import csv
from pathlib import Path

import numpy as np
import torch

from stages.common import door, fingerprint
from stages.common.artifacts import read_mask, read_picture, write_atomic, write_json
from stages.common.device import device, training_place
from stages.common.networks import store
from stages.common.params import load
from stages.common.pictures import Picture, Pictures, load_pictures
from stages.common.progress import track
from stages.common.training.loop import fit
from stages.common.training.samples import MaskedSamples
from stages.common.training.strategy import MAIN
from stages.evaluation import metrics, tables
from stages.evaluation.rungs import REPORTS
from stages.predictions.labeller import Labeller
from stages.predictions.params import Predictions
from stages.segmenter.network import saved_config
from stages.segmenter.params import Segmenter
from stages.segmenter.strategy import modules, strategy

MASKS, OUT = Path("data/masks"), Path("data/ceiling")


def main() -> str:
    params = load("segmenter", Segmenter, "ceiling")
    pictures = load_pictures()
    train, val = (with_masks(pictures, split) for split in ("train", "val"))
    torch.manual_seed(params.seed)
    learning = strategy(params, len(pictures.classes))
    samples, key = MaskedSamples(train, params, MASKS), training_key(params, train)
    history = fit("ceiling", learning, samples, params, key)
    store.save_network(OUT, learning.networks[MAIN], saved_config(params, pictures.classes), history)
    values = score(val, pictures, load("predictions", Predictions, "ceiling"))
    return f"ceiling: mIoU {values['miou']:.2f} % of val, {len(val)} pictures, trained on {len(train)} masks"


def with_masks(pictures: Pictures, split: str) -> list[Picture]:
    """The pictures of a split that data/masks/index.csv promises a mask of. ValueError if there are none."""
    with (MASKS / "index.csv").open(newline="") as file:
        promised = {row["id"] for row in csv.DictReader(file) if row["split"] == split}
    found = [picture for picture in pictures.split(split) if picture.id in promised]
    if not found:
        raise ValueError(f"no picture of {split} has a mask, and ceiling.of asks for full supervision")
    return found


def training_key(params: Segmenter, train: list[Picture]) -> str:
    files = [(p.id, p.content_hash(), fingerprint.file_hash(MASKS / f"{p.id}.png")) for p in train]
    code = fingerprint.code_hash("stages.ceiling.__main__", *modules(params))
    return fingerprint.key(code, params.model_dump(), files, training_place())


def score(val: list[Picture], pictures: Pictures, params: Predictions) -> dict:
    """Write reports/ceiling/ as the evaluation writes a rung's; returns what metrics.json holds."""
    labeller = Labeller(OUT, params, str(device()))
    number = len(pictures.classes)
    table = np.zeros((number, number + 1), np.int64)
    for picture in track(val, len(val), "scoring"):
        labels = labeller.labels([read_picture(picture.path)])[0]
        table += metrics.confusion(read_mask(MASKS / f"{picture.id}.png"), labels, number)
    values = tables.summary(table, pictures.classes) | {"images": len(val), "split": "val"}
    write_atomic(REPORTS / "ceiling" / "per_class.csv", tables.per_class(table, pictures.classes))
    write_json(REPORTS / "ceiling" / "metrics.json", values)
    return values


if __name__ == "__main__":
    door.run("ceiling")
