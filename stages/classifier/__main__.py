"""Train the classifier on image-level labels: data/dataset -> data/classifier."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stages.classifier.network import ClassifierNet, build_classifier
from stages.classifier.params import Classifier
from stages.classifier.scores import classification_metrics
from stages.common import augment, door, fingerprint, networks, training
from stages.common.artifacts import read_picture, write_json
from stages.common.device import device, training_place
from stages.common.params import load
from stages.common.pictures import Picture, Pictures, load_pictures
from stages.common.samples import LabelledSamples

OUT = Path("data/classifier")
METRICS = Path("reports/classifier/metrics.json")


def main() -> str:
    params = load("classifier", Classifier)
    pictures = load_pictures()
    torch.manual_seed(params.seed)
    model = build_classifier(params.encoder, len(pictures.classes) - 1)
    train = pictures.split("train")
    samples, key = LabelledSamples(train, params, len(pictures.classes) - 1), training_key(params, train)
    history = training.fit("classifier", model, samples, soft_margin, params, key)
    metrics = validate(model, pictures, params)
    config = {"classes": list(pictures.classes), "encoder": params.encoder.model_dump()}
    networks.save_network(OUT, model, config, history)
    write_json(METRICS, metrics)
    training.forget("classifier", key)
    if "map" not in metrics:
        return "classifier: no picture of val has a class, so there is no mAP"
    return f"classifier: mAP {metrics['map']:.2f} %, F1 {metrics['f1']:.2f} % on val"


def soft_margin(model: torch.nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """Multi-label soft-margin loss (ZHANG Eq. 2.14)."""
    return {"loss": F.multilabel_soft_margin_loss(model(batch[0]), batch[1])}


def training_key(params: Classifier, train: list[Picture]) -> str:
    files = [(p.id, fingerprint.file_hash(p.path), p.labels) for p in train]
    code = fingerprint.code_hash("stages.classifier.__main__")
    return fingerprint.key(code, params.model_dump(), files, training_place())


@torch.inference_mode()
def validate(model: ClassifierNet, pictures: Pictures, params: Classifier) -> dict:
    """Metrics on val, each picture fitted into the crop."""
    place = device()
    model.to(place)
    val = pictures.split("val")
    targets = LabelledSamples(val, params, len(pictures.classes) - 1).targets
    scores = []
    for start in range(0, len(val), params.batch):
        batch = [fitted(read_picture(p.path), params) for p in val[start : start + params.batch]]
        scores.append(model(torch.from_numpy(np.stack(batch)).to(place)).float().cpu())
    return classification_metrics(torch.cat(scores), targets, list(pictures.classes[1:]))


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
