"""RRM's second training: all branches, on labels that the network makes in each step (ZHANG ch. 2)."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stages.classifier.loss import soft_margin
from stages.common import fingerprint, pool
from stages.common.artifacts import UNKNOWN
from stages.common.dense_energy import dense_energy
from stages.common.device import device_count, training_place
from stages.common.networks.store import History
from stages.common.pictures import Picture
from stages.common.reliable import View, labels
from stages.common.training.loop import fit
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, one
from stages.one_step.losses import class_distance, cross_entropy
from stages.one_step.maps import class_maps, colours
from stages.one_step.network import Found, Rrm, still
from stages.one_step.params import OneStep
from stages.one_step.samples import InsideSamples
from stages.seeds.grid import Grid, grid_of
from stages.seeds.layers import LAST

Label = Callable[[list[View]], list[np.ndarray]]


def train(
    params: OneStep, network: Rrm, pictures: list[Picture], classes: int, first: str
) -> tuple[History, str]:
    """Train the network in place; its curve, and its key, which holds that of the `first` training.

    The labels of a step are made in processes, whose number changes nothing.
    """
    code = fingerprint.code_hash("stages.one_step.rrm")
    read = params.model_dump(exclude={"of", "classification", "head"})
    key = fingerprint.key(code, first, read, training_place())
    grid = grid_of(cast(Any, network.eval()), LAST)
    label = functools.partial(labels, params=params.labels)
    with pool.mapped(label, min(pool.worker_count(), params.batch) // device_count()) as label_all:
        joint = Joint(params, network, grid, label_all)
        samples = InsideSamples(pictures, params, classes)
        return fit("one_step", one(network, joint), samples, params, key), key


@dataclass(frozen=True)
class Joint:
    """The loss of a step: of image labels, of reliable regions, the energy, and the distance of classes."""

    params: OneStep
    network: Rrm  # whose mode changes while it makes labels; it is called as the training has it
    grid: Grid
    label: Label

    def __call__(self, networks: Networks, batch: Batch, _: float) -> Losses:
        """`loss` and its parts; `labelled` is the share of the picture that is labelled, in percent."""
        pictures, targets, inside = batch
        rgb = colours(pictures, self.params.encoder)
        regions = self.regions(networks, pictures, targets, inside, rgb)
        found: Found = networks[MAIN](pictures, "all")
        scores = F.interpolate(found.masks, pictures.shape[2:], mode="bilinear", align_corners=False)
        parts = {
            "classes": soft_margin(found.classes, targets),
            "cross_entropy": cross_entropy(scores, regions),
        }
        energy, distance = self.params.energy, self.params.distance
        if energy.weight:
            known = regions != UNKNOWN
            parts["energy"] = energy.weight * dense_energy(
                scores.float().softmax(1), rgb, known, inside, energy
            )
        if distance.weight:
            predicted, cells = found.masks.argmax(1), on_cells(inside, found.masks.shape[2:])
            apart = class_distance(found.features, predicted, cells, distance.between)
            parts["distance"] = distance.weight * apart
        labelled = 100 * (regions != UNKNOWN).sum() / inside.sum()
        return {"loss": torch.stack(list(parts.values())).sum(), **parts, "labelled": labelled}

    def regions(
        self, networks: Networks, pictures: Tensor, targets: Tensor, inside: Tensor, rgb: Tensor
    ) -> Tensor:
        """The reliable regions that the network sees now, int64 [B, H, W]; it is left as it was."""
        with still(self.network):
            maps = (
                class_maps(
                    functools.partial(networks[MAIN], asked="maps"),
                    pictures,
                    self.params.labels.scales,
                    self.grid,
                )
                .cpu()
                .numpy()
            )
        shown = rgb.byte().movedim(1, 3).cpu().numpy()
        views = []
        for row, present in enumerate(targets.cpu().numpy() > 0):
            classes = np.flatnonzero(present)
            views.append(View(maps[row, classes], classes + 1, shown[row], inside[row].cpu().numpy()))
        found = np.stack(self.label(views)).astype(np.int64)
        return torch.from_numpy(found).to(pictures.device)


def on_cells(inside: Tensor, size: torch.Size) -> Tensor:
    """Pixels [B, H, W], bool, as cells [B, h, w]: those with more than half of their area in the picture."""
    return F.adaptive_avg_pool2d(inside.float()[:, None], (size[0], size[1]))[:, 0] > 0.5
