"""Each picture's raw affinities: data/affinity_labels, data/classifier or a frozen network -> data/affinity.

The walk's beta and number of steps come later (`pseudo_labels`), so they cost no network pass.
"""

import functools
import importlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from stages.affinity.network import rebuild_affinity_net
from stages.affinity.offsets import offset_list
from stages.affinity.params import ON_TOKENS, Affinity
from stages.classifier import clip
from stages.classifier.network import rebuild_classifier
from stages.common import door, fingerprint, items, pool
from stages.common.artifacts import npz_bytes
from stages.common.device import device, training_place
from stages.common.networks import store
from stages.common.networks.encoders import build_encoder
from stages.common.pairs import Offsets
from stages.common.params import load
from stages.common.pictures import Loaded, Picture, Pictures, load_pictures, loaded
from stages.common.pool import Files
from stages.common.training.augment import normalise
from stages.common.training.params import CLIP, Encoder

LABELS, CLASSIFIER = Path("data/affinity_labels/affinity"), Path("data/classifier")
OUT = Path("data/affinity")
NETWORKS = items.SCRATCH / "affinity_network"  # trained networks, where worker processes find them


def main() -> str:
    params, pictures = load("affinity", Affinity), load_pictures()
    if params.method == "affinity_net":
        return of_a_training(params, pictures)
    return save_maps(params, pictures.split("train"), network_key(params), folder_of(params))


def of_a_training(params: Affinity, pictures: Pictures) -> str:
    """AffinityNet is trained first, and kept beside its maps."""
    train, classes = pictures.split("train"), len(pictures.classes)
    key = training_key(params, train)
    module = importlib.import_module(method(params))
    model, history = module.trained(params, train, classes, LABELS, key)
    config = params.model_dump(include={"encoder", "levels", "channels", "grid_stride", "radius"})
    NETWORKS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=NETWORKS) as network:  # of this process: .scratch may be shared
        store.write_network(Path(network), model, config, history)
        weights = fingerprint.file_hash(Path(network) / "weights.safetensors")
        files = {file.name: file.read_bytes() for file in sorted(Path(network).iterdir())}
        line = save_maps(params, train, fingerprint.key(key, weights), network, files)
    items.remove_unused(NETWORKS)
    last = history[-1]
    return f"{line}; loss {last['loss']:.3f} (different {last['different']:.3f})"


def training_key(params: Affinity, train: list[Picture]) -> str:
    files = [(p.id, p.content_hash(), fingerprint.file_hash(LABELS / f"{p.id}.png")) for p in train]
    code = fingerprint.code_hash("stages.affinity.__main__", method(params))
    return fingerprint.key(code, params.model_dump(), files, training_place())


def network_key(params: Affinity) -> str:
    """Of all that makes affinities without a training, but the picture."""
    code = fingerprint.code_hash("stages.affinity.__main__", method(params))
    options = getattr(params, params.method).model_dump()
    grid = params.grid_stride if params.method not in ON_TOKENS else None  # there a cell is a patch
    if folder := folder_of(params):
        config = store.read_config(Path(folder), "encoder", "classes")
        network = [config, fingerprint.file_hash(Path(folder) / "weights.safetensors")]
    else:
        network = [params.encoder.model_dump()]
    return fingerprint.key(code, params.method, options, grid, params.radius, network)


def method(params: Affinity) -> str:
    """The module of the method: `maps(network, pictures, params, offsets) -> {"maps": [B, P, h, w]}`."""
    return f"stages.affinity.{params.method}"


def folder_of(params: Affinity) -> str:
    """Where the network lies that a method without a training reads; "" for the section's own encoder."""
    return "" if params.of == ["dataset"] else str(CLASSIFIER)


def save_maps(
    params: Affinity, train: list[Picture], key: str, network: str, also: Files | None = None
) -> str:
    """data/affinity: maps/ID.npz of every training picture, and the files `also`."""
    place = device()
    pool.single_thread()
    compute = AffinityMaps(params, str(place), network)
    _network.cache_clear()
    compute.prepare()
    work = [items.Item(p.id, fingerprint.key(key, p.content_hash()), p) for p in train]
    return items.map_items("affinity", OUT, work, compute, read=loaded, also=also, **items.on(place.type))


@dataclass(frozen=True)
class AffinityMaps:
    """Raw affinities of equal-sized pictures: float16 [P, h, w], half of the offsets (W is symmetric)."""

    params: Affinity
    place: str
    network: str  # its folder; "": a new one of params.encoder

    def prepare(self) -> None:
        self._network()

    @torch.inference_mode()
    def __call__(self, batch: list[Loaded]) -> list[Files]:
        model, encoder = self._network()
        arrays = [normalise(pixels, encoder["mean"], encoder["std"]) for _, pixels in batch]
        x, offsets = torch.from_numpy(np.stack(arrays)).to(self.place), offset_list(self.params.radius)
        found = importlib.import_module(method(self.params)).maps(model, x, self.params, offsets)
        stored = {name: values.cpu().numpy().astype(np.float16) for name, values in found.items()}
        return [
            {f"{name}/*.npz": _npz(name, values[row], offsets, p) for name, values in stored.items()}
            for row, (p, _) in enumerate(batch)
        ]

    def _network(self) -> tuple[nn.Module, dict[str, Any]]:
        own = "" if self.network else self.params.encoder.model_dump_json()
        return _network(self.place, self.params.method, self.network, own)


def _npz(name: str, values: np.ndarray, offsets: Offsets, picture: Picture) -> bytes:
    size = np.array([picture.height, picture.width], np.int32)
    if name == "maps":
        return npz_bytes(affinities=values, offsets=np.array(offsets, np.int8), size=size)
    return npz_bytes(**{name: values}, size=size)


@functools.cache
def _network(place: str, chosen: str, folder: str, own: str) -> tuple[nn.Module, dict[str, Any]]:
    """The network that the method reads, and mean and std of its encoder; `own` is an encoder's JSON."""
    if own:
        params = Encoder.model_validate_json(own)
        return build_encoder(params).eval().requires_grad_(False).to(place), params.model_dump()
    config = store.read_config(Path(folder))
    model = store.load_into(_rebuilt(chosen, config), Path(folder), place)
    return model.encoder if chosen in ON_TOKENS else model, config["encoder"]  # type: ignore[return-value]


def _rebuilt(chosen: str, config: dict[str, Any]) -> nn.Module:
    """The network of a config.json: AffinityNet, or the classifier, which may be CLIP's."""
    if chosen == "affinity_net":
        return rebuild_affinity_net(config)
    of_clip = str(config["encoder"]["name"]).startswith(CLIP)
    return clip.rebuild(config) if of_clip else rebuild_classifier(config)


if __name__ == "__main__":
    door.run("affinity")
