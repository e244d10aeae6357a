"""Attribution maps of the training pictures' classes: data/classifier -> data/seeds."""

import functools
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stages.classifier.network import ClassifierNet, rebuild_classifier
from stages.common import door, fingerprint, items, pool
from stages.common.artifacts import npz_bytes
from stages.common.device import device
from stages.common.networks import store
from stages.common.params import load
from stages.common.pictures import Loaded, Picture, load_pictures, loaded
from stages.common.pool import Files
from stages.common.training.augment import normalise
from stages.seeds import cuts
from stages.seeds.grid import Grid, grids
from stages.seeds.multi_scale import cells_of, multi_scale
from stages.seeds.params import Seeds

CLASSIFIER, OUT = Path("data/classifier"), Path("data/seeds")
MOST = 1e4  # below float16's limit


def main() -> str:
    params = load("seeds", Seeds)
    module = f"stages.seeds.{params.method}"
    place = device()
    weights = fingerprint.file_hash(CLASSIFIER / "weights.safetensors")
    config = store.read_config(CLASSIFIER, "encoder", "classes")
    base = (fingerprint.code_hash("stages.seeds.__main__", module), params.model_dump(), weights, config)
    work = [
        items.Item(p.id, fingerprint.key(base, p.content_hash(), p.labels), p)
        for p in load_pictures().split("train")
    ]
    pool.single_thread()  # the processes are the parallelism; workers inherit the loaded network
    compute = SeedMaps(params, str(place))
    compute.prepare()
    check_layer(params, str(place))
    return items.map_items("seeds", OUT, work, compute, read=loaded, **items.on(place.type))


@dataclass(frozen=True)
class SeedMaps:
    """The files of a batch of equal-sized pictures."""

    params: Seeds
    place: str

    def prepare(self) -> None:
        _classifier(self.place, self.params.method)

    def __call__(self, batch: list[Loaded]) -> list[Files]:
        model, encoder = _classifier(self.place, self.params.method)
        inputs, cells = _grids(self.place, self.params.method, self.params.layer)
        if not any(picture.labels for picture, _ in batch):  # nothing is asked of the network
            height, width = cells_of(batch[0].pixels.shape[:2], cells)
            return [self._files(picture, np.zeros((0, height, width), np.float32)) for picture, _ in batch]
        arrays = [normalise(pixels, encoder["mean"], encoder["std"]) for _, pixels in batch]
        classes = padded([picture.labels for picture, _ in batch])
        method = importlib.import_module(f"stages.seeds.{self.params.method}")
        attribution = functools.partial(self._attribution, method, model, classes.to(self.place))
        x = torch.from_numpy(np.stack(arrays)).to(self.place)
        maps = multi_scale(attribution, x, self.params, inputs, cells).cpu().numpy()
        return [self._files(p, maps[row, : len(p.labels)]) for row, (p, _) in enumerate(batch)]

    def _attribution(
        self, method: Any, model: ClassifierNet, classes: torch.Tensor, x: torch.Tensor
    ) -> torch.Tensor:
        half = self.params.precision == "bf16"
        with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
            options = getattr(self.params, self.params.method)
            maps: torch.Tensor = method.attribution(model, x, classes, self.params.layer, options)
        return maps

    def _files(self, picture: Picture, maps: np.ndarray) -> Files:
        stored = np.maximum(maps, -MOST).astype(np.float16)  # a class barely seen may be very negative
        if not np.isfinite(stored).all():
            raise ValueError(f"seeds of {picture.id} are not finite: the classifier diverged, train it again")
        size = np.array([picture.height, picture.width], np.int32)
        classes = np.array(picture.labels, np.int16)
        return {"*.npz": npz_bytes(maps=stored, classes=classes, size=size)}


@functools.cache
def _classifier(place: str, method: str) -> tuple[ClassifierNet, dict[str, Any]]:
    """The network, by the method's own `rebuild` if it has one, and what config.json says of its encoder."""
    config = store.read_config(CLASSIFIER)
    rebuild = getattr(importlib.import_module(f"stages.seeds.{method}"), "rebuild", rebuild_classifier)
    model = store.load_into(rebuild(config), CLASSIFIER, place)
    return model, config["encoder"]  # type: ignore[return-value]


@functools.cache
def _grids(place: str, method: str, layer: str) -> tuple[Grid, Grid]:
    return grids(_classifier(place, method)[0], layer)


def check_layer(params: Seeds, place: str) -> None:
    """Once per run: the layer must be a cut of the network; a method says where its theory does not hold.

    A method may have `remark(model, pictures, classes, layer) -> str` for that, which raises ValueError where
    it is not defined at all. Noise serves as pictures: it excites all of the network, of which both are
    properties. ValueError for no cut.
    """
    model, _ = _classifier(place, params.method)
    noise = torch.Generator().manual_seed(0)
    side = 4 * int(model.encoder.output_stride) + 1  # type: ignore[arg-type]
    pictures = torch.randn(2, 3, side, side, generator=noise).to(place)
    cuts.require_cut(model, params.layer, pictures)
    remark = getattr(importlib.import_module(f"stages.seeds.{params.method}"), "remark", None)
    if remark is not None:
        classes = torch.arange(min(4, model.head.out_channels), device=place).expand(2, -1)
        if line := remark(model, pictures, classes, params.layer):
            print(f"warning: {line}", file=sys.stderr)


def padded(labels: list[tuple[int, ...]]) -> torch.Tensor:
    """0-based classes [B, K]; a row with fewer than K repeats its first, or has 0 if it has none.

    `layers.real` tells a repeat. K is 1 at least, so that pictures without any class go the same way; their
    maps are not kept.
    """
    most = max(1, *(len(row) for row in labels))
    return torch.tensor([[c - 1 for c in row + (row or (1,))[:1] * (most - len(row))] for row in labels])


if __name__ == "__main__":
    door.run("seeds")
