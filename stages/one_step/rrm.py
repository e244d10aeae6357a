"""RRM's second training: all branches, on labels that the network makes in each step (ZHANG ch. 2)."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stages.classifier.loss import soft_margin
from stages.common import fingerprint, pool, reliable
from stages.common.artifacts import UNKNOWN
from stages.common.dense_energy import dense_energy
from stages.common.device import device_count, training_place
from stages.common.networks.store import History
from stages.common.pictures import Picture
from stages.common.training.colours import grey_values
from stages.common.training.loop import fit
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, one
from stages.one_step.losses import class_distance, cross_entropy
from stages.one_step.maps import class_maps
from stages.one_step.network import Found, Rrm, still
from stages.one_step.params import Labels, OneStep
from stages.one_step.samples import InsideSamples
from stages.seeds.grid import Grid, grid_of
from stages.seeds.layers import LAST

Label = Callable[[list[reliable.View]], Iterator[np.ndarray]]


def train(
    params: OneStep, network: Rrm, pictures: list[Picture], classes: int, first: str
) -> tuple[History, str]:
    """Train the network in place; its curve, and its key, which holds that of the `first` training.

    The labels of a step are made in processes, whose number changes nothing.
    """
    code = fingerprint.code_hash("stages.one_step.rrm")
    read = params.model_dump(exclude={"of", "classification", "heads"})
    key = fingerprint.key(code, first, read, training_place())
    grid = grid_of(cast(Any, network.eval()), LAST)
    label = functools.partial(labels_of, params=params.labels)
    with pool.mapped(label, min(pool.worker_count(), params.batch) // device_count()) as label_all:
        joint = Joint(params, network, grid, label_all)
        samples = InsideSamples(pictures, params, classes)
        return fit("one_step", one(network, joint), samples, params, key), key


def labels_of(view: reliable.View, params: Labels) -> np.ndarray:
    """In a process: it is here, so that the processes for the masks start from one with all loaded."""
    return reliable.labels(view, params)


@dataclass(frozen=True)
class Joint:
    """The loss of a step: of image labels, of reliable regions, the energy, and the distance of classes."""

    params: OneStep
    network: Rrm  # whose mode changes while it makes labels; it is called as the training has it
    grid: Grid
    label: Label

    def __call__(self, networks: Networks, batch: Batch, _: float) -> Losses:
        """`loss` and its parts; `labelled` is the share of the pictures that is labelled, in percent.

        Processes make the labels while the network computes what it learns from.
        """
        pictures, targets, inside = batch
        rgb = grey_values(pictures, self.params.encoder)
        made = self.label(self.views(networks, batch, rgb))
        found: Found = networks[MAIN](pictures, "all")
        regions = torch.from_numpy(np.stack(list(made)).astype(np.int64)).to(pictures.device)
        scores = F.interpolate(found.masks, pictures.shape[2:], mode="bilinear", align_corners=False)
        parts = {
            "classes": soft_margin(found.classes, targets),
            "cross_entropy": cross_entropy(scores, regions),
        }
        energy, distance, known = self.params.energy, self.params.distance, regions != UNKNOWN
        if energy.weight:
            cost = dense_energy(scores.softmax(1), rgb, known, inside, energy)
            parts["energy"] = energy.weight * cost
        if distance.weight:
            predicted, cells = found.masks.argmax(1), on_cells(inside, found.masks.shape[2:])
            cost = class_distance(found.features, predicted, cells, distance.between)
            parts["distance"] = distance.weight * cost
        total = torch.stack(list(parts.values())).sum()
        return {"loss": total, **parts, "labelled": 100 * known.sum() / inside.sum()}

    def views(self, networks: Networks, batch: Batch, rgb: Tensor) -> list[reliable.View]:
        """What the labels are made of, as the network sees it now; it is left as it was."""
        pictures, targets, inside = batch
        signed = functools.partial(networks[MAIN], asked="maps")
        with still(self.network):
            maps = class_maps(signed, pictures, self.params.labels.scales, self.grid).cpu().numpy()
        shown = rgb.byte().movedim(1, 3).cpu().numpy()
        rows = zip(maps, targets.cpu().numpy(), shown, inside.cpu().numpy(), strict=True)
        return [reliable.View(found[of > 0], np.flatnonzero(of) + 1, *both) for found, of, *both in rows]


def on_cells(inside: Tensor, size: torch.Size) -> Tensor:
    """Pixels [B, H, W], bool, as cells [B, h, w]: those with more than half of their area in the picture."""
    return F.adaptive_avg_pool2d(inside.float()[:, None], (size[0], size[1]))[:, 0] > 0.5
