"""Train the classifier that other strategies start from: data/dataset -> data/ordinary_classifier."""

from pathlib import Path

import torch

from stages.classifier import plain, training
from stages.classifier.ordinary import FOLDER
from stages.common import door, fingerprint
from stages.common.params import load
from stages.common.pictures import load_pictures
from stages.common.training.samples import LabelledSamples
from stages.ordinary_classifier.params import OrdinaryClassifier

METRICS = Path("reports/ordinary_classifier/metrics.json")


def main() -> str:
    params = load("ordinary_classifier", OrdinaryClassifier)
    pictures = load_pictures()
    torch.manual_seed(params.seed)
    strategy = plain.strategy(params, len(pictures.classes) - 1)
    samples = LabelledSamples(pictures.split("train"), params, len(pictures.classes) - 1)
    key = training.key(params, pictures, fingerprint.code_hash("stages.ordinary_classifier.__main__"))
    return training.train("ordinary_classifier", strategy, samples, params, pictures, key, (FOLDER, METRICS))


if __name__ == "__main__":
    door.run("ordinary_classifier")
