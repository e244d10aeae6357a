"""SEMEDA's edge network (CHEN 3.3.2, 3.4.1): it learns to find the semantic edges of label pictures."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common import fingerprint
from stages.common.artifacts import UNKNOWN
from stages.common.device import device, training_place
from stages.common.training import augment
from stages.common.training.loop import fit
from stages.common.training.params import Optimizer, Training
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, one
from stages.segmenter.edges import known_edges
from stages.segmenter.loss_params import Semeda
from stages.segmenter.structure import onehot
from stages.segmenter.terms import Task

BATCH = 8  # crops of a step
WIDTHS = (16, 32, 2)


class EdgeNet(nn.Module):
    """Three 3x3 convolutions, C -> 16 -> 32 -> 2; the picture's border goes on as it is."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        inputs = (classes, *WIDTHS[:2])
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1, padding_mode="replicate")
            for a, b in zip(inputs, WIDTHS, strict=True)
        )

    def forward(self, maps: Tensor, layers: int = 3) -> tuple[Tensor, ...]:
        """psi of the first layers, of maps [B, C, H, W]: after ReLU, after ReLU, after softmax.

        In float32 whatever the training is in: what is compared are small differences.
        """
        found, maps = [], maps.float()
        with torch.autocast(maps.device.type, enabled=False):
            for index in range(layers):
                maps = self.layers[index](maps)
                maps = maps.softmax(1) if index == 2 else maps.relu()
                found.append(maps)
        return tuple(found)


class Seen(NamedTuple):
    """Of labels: shares of the pixels that are known, and that have no unknown one near; and a hash."""

    known: float
    compared: float
    digest: str


def look(masks: Iterable[np.ndarray], reach: int) -> Seen:
    """At all labels, uint8 [H, W] each."""
    known = compared = total = 0
    digest, square = hashlib.sha256(), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    for mask in masks:
        unknown = (mask == UNKNOWN).astype(np.uint8)
        total += mask.size
        known += mask.size - int(unknown.sum())
        compared += mask.size - int(cv2.dilate(unknown, square).sum())
        digest.update(repr(mask.shape).encode() + mask.tobytes())
    return Seen(known / max(total, 1), compared / max(total, 1), digest.hexdigest())


@dataclass
class EdgeSamples:
    """Crops of the labels, as often as the steps ask for them: (maps, edges)."""

    task: Task
    options: Semeda

    def __len__(self) -> int:
        return BATCH * self.options.steps

    def sample(self, index: int, rng: np.random.Generator) -> Batch:
        """Maps float32 [C, crop, crop], one-hot or the softmax of that with noise, and edges [crop, crop]."""
        samples = self.task.samples
        mask = samples.mask(samples.pictures[index % len(samples.pictures)])
        assert mask is not None
        blank = np.zeros((*mask.shape, 3), np.uint8)
        _, view = augment.augment(blank, mask, still(self.task.params), samples.fill, rng)
        assert view is not None
        labels = torch.from_numpy(view.astype(np.int64))
        maps = onehot(labels[None], self.task.classes)[0]
        if self.options.noise:
            noise = rng.normal(0, self.options.noise, maps.shape).astype(np.float32)
            maps = (maps + torch.from_numpy(noise)).softmax(0) * (labels != UNKNOWN)
        return maps, torch.from_numpy(known_edges(view).astype(np.int64))


def still(params: Training) -> augment.Augment:
    """As the segmenter's views, but for the colours, which labels have not."""
    return params.augment.model_copy(update={"jitter": [0.0] * 4})


def train(task: Task, options: Semeda, digest: str) -> EdgeNet:
    """The network, frozen; other random numbers are as if it had not been. `digest` is of all labels."""
    place = device()
    with torch.random.fork_rng(devices=[place.index or 0] if place.type == "cuda" else []):
        torch.manual_seed(task.params.seed)
        network = EdgeNet(task.classes)
        params = training(task.params, options)
        used = options.model_dump(include={"steps", "lr", "noise"})
        code = fingerprint.code_hash("stages.segmenter.edge_network")
        shared = still(params).model_dump(), params.seed, params.threads, task.classes
        key = fingerprint.key(code, used, *shared, digest, training_place(alone=True))
        fit(f"{task.step}_edges", one(network, loss), EdgeSamples(task, options), params, key, alone=True)
    return network.requires_grad_(False)


def training(params: Training, options: Semeda) -> Training:
    """One pass over the samples by Adam; the segmenter's section gives the rest."""
    optimizer = Optimizer(
        name="adamw", lr=options.lr, momentum=0, weight_decay=0, decay_bias=False, poly_power=0, warmup=0,
        head_multiple=1, bias_multiple=1,
    )  # fmt: skip
    names = set(Training.model_fields)
    shared = {name: value for name, value in params if name in names}
    return Training(**shared | {"optimizer": optimizer, "batch": BATCH, "epochs": 1, "precision": "fp32"})


def loss(networks: Networks, batch: Batch, _: float) -> Losses:
    """-log of the probability of E* at the known pixels, their mean (3.8, whose hats are misplaced)."""
    maps, wanted = batch
    found = networks[MAIN](maps)[2].add(1e-7).log()
    total = F.nll_loss(found, wanted, ignore_index=UNKNOWN, reduction="sum")
    return {"loss": total / (wanted != UNKNOWN).sum().clamp_min(1)}
