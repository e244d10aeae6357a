"""Train the classifier on image-level labels: data/dataset -> data/classifier."""

import functools
import importlib
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stages.classifier.head import fold, mean_cosine, regularise
from stages.classifier.network import ClassifierNet
from stages.classifier.params import Classifier
from stages.classifier.scores import classification_metrics
from stages.common import door, fingerprint
from stages.common.artifacts import read_picture, write_json
from stages.common.device import device, training_place
from stages.common.networks import store
from stages.common.params import load
from stages.common.pictures import Picture, Pictures, load_pictures
from stages.common.training import augment
from stages.common.training.loop import fit
from stages.common.training.samples import LabelledSamples
from stages.common.training.strategy import MAIN, Strategy

OUT = Path("data/classifier")
METRICS = Path("reports/classifier/metrics.json")


def main() -> str:
    params = load("classifier", Classifier)
    pictures = load_pictures()
    torch.manual_seed(params.seed)
    strategy: Strategy = importlib.import_module(method(params)).strategy(params, len(pictures.classes) - 1)
    model: ClassifierNet = strategy.networks[MAIN]  # type: ignore[assignment]
    regularise(model, params)
    train = pictures.split("train")
    samples = LabelledSamples(train, params, len(pictures.classes) - 1)
    key = training_key(params, train, pictures.split("val"))
    watch = functools.partial(curve, pictures, params)
    history = fit("classifier", strategy, samples, params, key, watch)
    fold(model)
    metrics = validate(model, pictures, params)
    config = {"classes": list(pictures.classes), "encoder": params.encoder.model_dump()}
    store.save_network(OUT, model, config, history)
    write_json(METRICS, metrics)
    if "map" not in metrics:
        return "classifier: no picture of val has a class, so there is no mAP"
    return f"classifier: mAP {metrics['map']:.2f} %, F1 {metrics['f1']:.2f} % on val{alike(model)}"


def alike(model: ClassifierNet) -> str:
    """How alike the classes' vectors in the head are: what regularised kernel usage is to lower."""
    cosine = mean_cosine(model.head.weight)
    return "" if math.isnan(cosine) else f"; vectors of two classes: mean cosine {cosine:.2f}"


def method(params: Classifier) -> str:
    """The module of the training strategy: `strategy(params, classes) -> Strategy`."""
    return f"stages.classifier.{params.method}"


def training_key(params: Classifier, train: list[Picture], val: list[Picture]) -> str:
    """Of val as well: its scores after each epoch are in the history."""
    files = [[(p.id, p.content_hash(), p.labels) for p in split] for split in (train, val)]
    code = fingerprint.code_hash("stages.classifier.__main__", method(params))
    return fingerprint.key(code, params.model_dump(), files, training_place())


def curve(pictures: Pictures, params: Classifier, model: ClassifierNet) -> dict[str, float]:
    """val_loss and val_map (percent) of one epoch, {} where no picture of val has a class.

    Nothing is chosen by them: the last epoch is kept. They cost a forward pass of val and its decoding
    after each epoch: with V pictures of val for T of train about V / 3T of the training's time.
    """
    if not any(picture.labels for picture in pictures.split("val")):
        return {}
    scores, targets = val_scores(model, pictures, params)
    loss = float(F.multilabel_soft_margin_loss(scores, targets))
    values = classification_metrics(scores, targets, list(pictures.classes[1:]))
    return {"val_loss": loss, "val_map": values["map"]}


def validate(model: ClassifierNet, pictures: Pictures, params: Classifier) -> dict:
    """Metrics on val, each picture fitted into the crop."""
    scores, targets = val_scores(model.to(device()), pictures, params)
    return classification_metrics(scores, targets, list(pictures.classes[1:]))


@torch.inference_mode()
def val_scores(model: ClassifierNet, pictures: Pictures, params: Classifier) -> tuple[Tensor, Tensor]:
    """Scores (logits) [N, C] of val, each picture fitted into the crop, and its targets 0/1 [N, C]."""
    place = next(model.parameters()).device
    val = pictures.split("val")
    targets = LabelledSamples(val, params, len(pictures.classes) - 1).targets
    scores = []
    for start in range(0, len(val), params.batch):
        batch = [fitted(read_picture(p.path), params) for p in val[start : start + params.batch]]
        scores.append(model(torch.from_numpy(np.stack(batch)).to(place)).float().cpu())
    return torch.cat(scores), targets


def fitted(picture: np.ndarray, params: Classifier) -> np.ndarray:
    """The picture with its longest side at the crop, centred; float32 [3, crop, crop]."""
    crop = params.augment.crop
    height, width = picture.shape[:2]
    factor = crop / max(height, width)
    small = augment.resize(picture, max(1, round(width * factor)), max(1, round(height * factor)))
    out = np.broadcast_to(augment.fill_colour(params.encoder.mean), (crop, crop, 3)).copy()
    top, left = (crop - small.shape[0]) // 2, (crop - small.shape[1]) // 2
    out[top : top + small.shape[0], left : left + small.shape[1]] = small
    return augment.normalise(out, params.encoder.mean, params.encoder.std)


if __name__ == "__main__":
    door.run("classifier")
