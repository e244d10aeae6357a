"""The ordinary classifier, which a strategy takes as it was trained: data/ordinary_classifier."""

from pathlib import Path
from typing import NamedTuple

from stages.classifier.network import ClassifierNet, rebuild_classifier
from stages.common import fingerprint
from stages.common.networks import store
from stages.common.training.params import Encoder

FOLDER = Path("data/ordinary_classifier")


class Ordinary(NamedTuple):
    """The network, frozen and in eval mode, and its encoder's parameters."""

    network: ClassifierNet
    encoder: Encoder


def read_ordinary() -> Ordinary:
    config = store.read_config(FOLDER, "encoder", "classes")
    network: ClassifierNet = store.load_into(rebuild_classifier(config), FOLDER)  # type: ignore[assignment]
    return Ordinary(network, Encoder.model_validate(config["encoder"]))


def ordinary_key() -> list[str]:
    """Of all that a training takes from it."""
    return [fingerprint.file_hash(FOLDER / name) for name in ("config.json", "weights.safetensors")]
