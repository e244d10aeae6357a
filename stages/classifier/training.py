"""How a classifier is trained, judged on val and kept: the same for the ordinary one."""

import functools
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.classifier.head import fold, mean_cosine, regularise
from stages.classifier.network import ClassifierNet
from stages.classifier.params import Recogniser
from stages.classifier.scores import classification_metrics
from stages.common import fingerprint
from stages.common.artifacts import read_picture, write_json
from stages.common.device import device, training_place
from stages.common.networks import store
from stages.common.pictures import Pictures
from stages.common.training import augment
from stages.common.training.batches import Samples
from stages.common.training.loop import fit
from stages.common.training.params import Training
from stages.common.training.samples import LabelledSamples
from stages.common.training.strategy import MAIN, Strategy


def train(
    step: str,
    strategy: Strategy,
    samples: Samples,
    params: Recogniser,
    pictures: Pictures,
    key: str,
    outputs: tuple[Path, Path],
) -> str:
    """Fit the strategy and write `outputs`, a network's folder and metrics.json; returns the line to print.

    What is kept is `main` with its head as a plain convolution: nothing below knows how it was trained.
    """
    model: ClassifierNet = strategy.networks[MAIN]  # type: ignore[assignment]
    regularise(model, params)
    history = fit(step, strategy, samples, params, key, functools.partial(curve, pictures, params))
    fold(model)
    return keep(step, model, params, pictures, history, outputs)


def keep(
    step: str,
    model: nn.Module,
    params: Recogniser,
    pictures: Pictures,
    history: store.History,
    outputs: tuple[Path, Path],
    own: dict[str, Any] | None = None,
) -> str:
    """Write a classifier and how well it recognises; `own` is what config.json says besides."""
    folder, metrics_file = outputs
    metrics = validate(model, pictures, params)
    config = {"classes": list(pictures.classes), "encoder": params.encoder.model_dump(), **(own or {})}
    store.save_network(folder, model, config, history)
    write_json(metrics_file, metrics)
    if "map" not in metrics:
        return f"{step}: no picture of val has a class, so there is no mAP"
    return f"{step}: mAP {metrics['map']:.2f} %, F1 {metrics['f1']:.2f} % on val{alike(model)}"


def alike(model: nn.Module) -> str:
    """How alike the classes' vectors in the head are: what regularised kernel usage is to lower."""
    cosine = mean_cosine(model.head.weight)  # type: ignore[union-attr, arg-type]
    return "" if math.isnan(cosine) else f"; vectors of two classes: mean cosine {cosine:.2f}"


def key(params: Recogniser, pictures: Pictures, *more: object) -> str:
    """Of val as well: its scores after each epoch are in the history."""
    splits = [pictures.split(split) for split in ("train", "val")]
    files = [[(p.id, p.content_hash(), p.labels) for p in split] for split in splits]
    return fingerprint.key(params.model_dump(), files, training_place(), *more)


def curve(pictures: Pictures, params: Recogniser, model: nn.Module) -> dict[str, float]:
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


def validate(model: nn.Module, pictures: Pictures, params: Recogniser) -> dict:
    """Metrics on val, each picture fitted into the crop."""
    scores, targets = val_scores(model.to(device()), pictures, params)
    return classification_metrics(scores, targets, list(pictures.classes[1:]))


@torch.inference_mode()
def val_scores(model: nn.Module, pictures: Pictures, params: Recogniser) -> tuple[Tensor, Tensor]:
    """Scores (logits) [N, C] of val, each picture fitted into the crop, and its targets 0/1 [N, C]."""
    place = next(model.parameters()).device
    val = pictures.split("val")
    targets = LabelledSamples(val, params, len(pictures.classes) - 1).targets
    scores = []
    for start in range(0, len(val), params.batch):
        batch = [fitted(read_picture(p.path), params) for p in val[start : start + params.batch]]
        scores.append(model(torch.from_numpy(np.stack(batch)).to(place)).float().cpu())
    return torch.cat(scores), targets


def fitted(picture: np.ndarray, params: Training) -> np.ndarray:
    """The picture with its longest side at the crop, centred; float32 [3, crop, crop]."""
    crop = params.augment.crop
    height, width = picture.shape[:2]
    factor = crop / max(height, width)
    small = augment.resize(picture, max(1, round(width * factor)), max(1, round(height * factor)))
    out = np.broadcast_to(augment.fill_colour(params.encoder.mean), (crop, crop, 3)).copy()
    top, left = (crop - small.shape[0]) // 2, (crop - small.shape[1]) // 2
    out[top : top + small.shape[0], left : left + small.shape[1]] = small
    return augment.normalise(out, params.encoder.mean, params.encoder.std)
