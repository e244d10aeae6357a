"""The second training: a network learns the first one's maps, made binary; its own take their place.

The slides ("C2AM") use PoolNet, a saliency network that is in no library. Its stand-in is a decoder of
segmentation_models_pytorch with one output.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from stages.common import fingerprint, items
from stages.common.artifacts import UNKNOWN, mask_bytes, read_npz, read_picture
from stages.common.crf import infer_labels, unary_from_labels
from stages.common.crf_params import Crf
from stages.common.device import training_place
from stages.common.labels import upsample
from stages.common.networks import store
from stages.common.networks.store import History
from stages.common.pictures import Picture
from stages.common.pool import Files
from stages.common.training.loop import fit
from stages.common.training.params import Encoder
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, one
from stages.saliency.network import bare
from stages.saliency.params import Second
from stages.saliency.samples import LabelSamples
from stages.segmenter import library

OBJECT = np.array([1])  # the class beside the ground


class Task(NamedTuple):
    picture: Picture
    map: Path


def labels(
    salient: np.ndarray, picture: np.ndarray, threshold: float, gt_prob: float, crf: Crf
) -> np.ndarray:
    """Object 1 or ground 0, uint8 [H, W]: the map [H, W] at a threshold, and a CRF of two labels on it."""
    unary = unary_from_labels((salient > threshold).astype(np.int64), 2, gt_prob)
    return infer_labels(picture, [unary], OBJECT, crf)[0]


@dataclass(frozen=True)
class Labels:
    """The label pictures of the first maps."""

    params: Second

    def key(self, task: Task) -> str:
        code = fingerprint.code_hash("stages.saliency.refine")
        options = self.params.model_dump(include={"threshold", "gt_prob", "crf"})
        return fingerprint.key(code, options, task.picture.content_hash(), fingerprint.file_hash(task.map))

    def __call__(self, tasks: list[Task]) -> list[Files]:
        return [{"*.png": mask_bytes(self._one(task))} for task in tasks]

    def _one(self, task: Task) -> np.ndarray:
        arrays, p = read_npz(task.map), self.params
        salient = upsample(arrays["maps"], tuple(arrays["size"].tolist()))[0]
        return labels(salient, read_picture(task.picture.path), p.threshold, p.gt_prob, p.crf)


def train(params: Second, pictures: list[Picture], maps: dict[str, Path]) -> tuple[nn.Module, History, str]:
    """The trained network, its curve, and the key of all that it was made from; `maps` are files by id."""
    compute = Labels(params)
    tasks = [Task(picture, maps[picture.id]) for picture in pictures]
    work = [items.Item(task.picture.id, compute.key(task), task) for task in tasks]
    results = items.compute_items("saliency_labels", work, compute)
    files = {item.id: results.store / item.key / "item.png" for item in work}
    hashes = [(p.id, p.content_hash(), fingerprint.file_hash(files[p.id])) for p in pictures]
    code = fingerprint.code_hash("stages.saliency.refine")
    key = fingerprint.key(code, params.model_dump(), hashes, training_place(alone=True))
    torch.manual_seed(params.seed)
    model = build(params.network, params.encoder, params.options)
    samples = LabelSamples(pictures, params, files)
    history = fit("saliency_network", one(model, loss), samples, params, key, alone=True)
    return model, history, key


def build(network: str, encoder: Encoder, options: dict) -> nn.Module:
    """Scores [B, 1, H, W] of pictures whose sides padding.DIVISOR divides."""
    return library.build(network, encoder, 1, _settled(network, encoder, options), "saliency.network")


def _settled(network: str, encoder: Encoder, options: dict) -> dict:
    """The options with the rates of the output stride, as the segmenter's DeepLab has them."""
    return library.with_rates(encoder, options) if network.startswith("deeplab") else options


def saved_config(params: Second) -> dict:
    """What config.json holds; the options are written out."""
    options = _settled(params.network, params.encoder, params.options)
    return {**params.model_dump(include={"network", "encoder"}), "options": options}


@functools.cache
def load(place: str, folder: Path) -> tuple[nn.Module, Encoder]:
    """The network of a folder, and its encoder."""
    config = store.read_config(folder)
    encoder = Encoder.model_validate(config["encoder"])
    with torch.random.fork_rng(devices=[]):
        model = build(config["network"], bare(encoder), config["options"])
    return store.load_into(model, folder, place), encoder


def loss(networks: Networks, batch: Batch, _: float) -> Losses:
    """BCE, the mean over the known pixels."""
    pictures, targets = batch
    known = targets != UNKNOWN
    found = networks[MAIN](pictures)[:, 0]
    parts = F.binary_cross_entropy_with_logits(found, (targets == 1).to(found.dtype), reduction="none")
    return {"loss": (parts * known).sum() / known.sum().clamp_min(1)}
