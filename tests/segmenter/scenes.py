"""Label pictures of rectangles, and samples and a section for tests of the segmenter's training."""

from pathlib import Path
from typing import Any

import numpy as np

from stages.common.artifacts import mask_bytes, write_atomic
from stages.common.params import check, read_yaml
from stages.common.pictures import Picture
from stages.common.training.samples import MaskedSamples
from stages.segmenter.loss_params import Semeda
from stages.segmenter.params import Segmenter
from stages.segmenter.terms import Task

SHIPPED = Path(__file__).parents[2] / "params.yaml"
SEMEDA = {"weights": [2, 4, 0], "steps": 12, "lr": 0.01, "noise": 0, "warmup": 0}
ENERGY = {"weight": 1, "method": "lattice", "scale": 0.5, "sigma_xy": 20, "sigma_rgb": 15}
DFR = {
    "weight": 0.01, "feature_weight": 0.001, "radius": 2, "sigma_xy": 6, "sigma_rgb": 29,
    "sigma_features": 50, "channels": 4, "confidence": 0.3,
}  # fmt: skip
CLASSES = 4


def params(**changes: Any) -> Segmenter:
    """The shipped section, small, with a network that needs no dilation."""
    values = read_yaml(SHIPPED)["segmenter"]
    small = {"network": "unet", "options": {"decoder_channels": [16, 8, 8, 8, 8]}, "batch": 4, "epochs": 2}
    encoder = values["encoder"] | {"output_stride": 32}
    augment = values["augment"] | {"crop": 64}
    values |= small | {"encoder": encoder, "augment": augment, "threads": 1}
    return check(Segmenter, values | changes, "x")


def rectangles(seed: int, side: int = 72) -> np.ndarray:
    """Labels uint8 [side, side] of four rectangles of classes 1 to 3, and an unknown strip."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((side, side), np.uint8)
    for _ in range(4):
        top, left = rng.integers(0, side - 16, 2)
        height, width = rng.integers(6, 28, 2)
        labels[top : top + height, left : left + width] = rng.integers(1, CLASSES)
    labels[-2:, : side // 3] = 255
    return labels


def samples(folder: Path, chosen: Segmenter, count: int = 8) -> MaskedSamples:
    """Pictures whose colours are those of their labels, with noise."""
    import cv2

    pictures = []
    for index in range(count):
        labels = rectangles(index)
        noise = np.random.default_rng(index).integers(0, 40, (*labels.shape, 3))
        picture = (noise + 50 * np.where(labels == 255, 0, labels)[..., None]).astype(np.uint8)
        path = folder / f"{index}.png"
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture)
        write_atomic(folder / "masks" / f"{index}.png", mask_bytes(labels))
        pictures.append(Picture(str(index), path, "train", *labels.shape[::-1], (1,)))
    return MaskedSamples(pictures, chosen, folder / "masks")


def semeda(**changes: object) -> Semeda:
    return Semeda.model_validate(SEMEDA | changes)


def task(folder: Path) -> Task:
    """A training on the scenes, which are drawn into the folder."""
    chosen = params()
    return Task("segmenter", chosen, CLASSES, samples(folder, chosen))
