"""Train AffinityNet and keep each picture's raw affinities: data/affinity_labels -> data/affinity.

The walk's beta and number of steps come later (`pseudo_labels`), so they cost no network pass.
"""

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stages.affinity.loss import affinity_loss, grid_labels, pair_kinds
from stages.affinity.network import AffinityNet, affinities, build_affinity_net, rebuild_affinity_net
from stages.affinity.offsets import forward_offsets
from stages.affinity.params import Affinity
from stages.common import door, fingerprint, items
from stages.common.artifacts import npz_bytes, read_picture
from stages.common.device import device, training_place
from stages.common.networks import store
from stages.common.params import load
from stages.common.pictures import Picture, load_pictures
from stages.common.training.augment import normalise
from stages.common.training.loop import fit
from stages.common.training.samples import MaskedSamples
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, one

LABELS, OUT = Path("data/affinity_labels/affinity"), Path("data/affinity")
NETWORKS = items.SCRATCH / "affinity_network"  # trained networks, where worker processes find them


def main() -> str:
    params = load("affinity", Affinity)
    pictures = load_pictures()
    train, classes = pictures.split("train"), len(pictures.classes)
    key = training_key(params, train)
    torch.manual_seed(params.seed)
    model = build_affinity_net(params.encoder, params.levels, params.channels, params.grid_stride)
    offsets = offset_list(params.radius)
    loss = functools.partial(batch_loss, offsets, params.grid_stride, classes)
    history = fit("affinity", one(model, loss), MaskedSamples(train, params, LABELS), params, key)
    config = params.model_dump(include={"encoder", "levels", "channels", "grid_stride", "radius"})
    NETWORKS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=NETWORKS) as network:  # of this process: .scratch may be shared
        store.write_network(Path(network), model, config, history)
        line = save_maps(params, train, key, network)
    items.remove_unused(NETWORKS)
    last = history[-1]
    return f"{line}; loss {last['loss']:.3f} (different {last['different']:.3f})"


def batch_loss(
    offsets: list[tuple[int, int]], cell: int, classes: int, called: Networks, batch: Batch, _: float
) -> Losses:
    pictures, labels = batch
    values, inside = affinities(called[MAIN](pictures), offsets)
    return affinity_loss(values, pair_kinds(grid_labels(labels, cell, classes), offsets, inside))


def offset_list(radius: int) -> list[tuple[int, int]]:
    return [(int(dy), int(dx)) for dy, dx in forward_offsets(radius)]


def training_key(params: Affinity, train: list[Picture]) -> str:
    hashed = fingerprint.file_hash
    files = [(p.id, hashed(p.path), hashed(LABELS / f"{p.id}.png")) for p in train]
    code = fingerprint.code_hash("stages.affinity.__main__")
    return fingerprint.key(code, params.model_dump(), files, training_place())


def save_maps(params: Affinity, train: list[Picture], key: str, network: str) -> str:
    """data/affinity: the files of the folder `network` beside maps/ID.npz of every training picture."""
    place = device()
    items.single_thread()
    compute = AffinityMaps(params.radius, str(place), network)
    _network.cache_clear()
    compute.prepare()
    work = [items.Item(p.id, fingerprint.key(key, fingerprint.file_hash(p.path)), p) for p in train]
    files = {file.name: file.read_bytes() for file in sorted(Path(network).iterdir())}
    processes = 0 if place.type != "cpu" else None
    return items.map_items("affinity", OUT, work, compute, processes=processes, also=files)


@dataclass(frozen=True)
class AffinityMaps:
    """Raw affinities of one picture: float16 [P, h, w], half of the offsets (W is symmetric)."""

    radius: int
    place: str
    network: str  # its folder

    def prepare(self) -> AffinityNet:
        return _network(self.place, Path(self.network))

    def __call__(self, pictures: list[Picture]) -> list[items.Files]:
        return [self._one(picture) for picture in pictures]

    @torch.inference_mode()
    def _one(self, picture: Picture) -> items.Files:
        config = store.read_config(Path(self.network))["encoder"]
        x = torch.from_numpy(normalise(read_picture(picture.path), config["mean"], config["std"]))
        offsets = offset_list(self.radius)
        values, _ = affinities(self.prepare()(x[None].to(self.place)), offsets)
        content = npz_bytes(
            affinities=values[0].cpu().numpy().astype(np.float16),
            offsets=np.array(offsets, np.int8),
            size=np.array([picture.height, picture.width], np.int32),
        )
        return {"maps/*.npz": content}


@functools.cache
def _network(place: str, folder: Path) -> AffinityNet:
    model = store.load_into(rebuild_affinity_net(store.read_config(folder)), folder)
    return model.to(place)  # type: ignore[return-value]


if __name__ == "__main__":
    door.run("affinity")
