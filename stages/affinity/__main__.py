"""Train AffinityNet and keep each picture's raw affinities: data/affinity_labels -> data/affinity.

The walk's beta and number of steps come later (`pseudo_labels`), so they cost no network pass.
"""

import functools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stages.affinity import regularised
from stages.affinity.labels import grid_labels
from stages.affinity.network import AffinityNet, affinities, build_affinity_net, rebuild_affinity_net
from stages.affinity.offsets import forward_offsets
from stages.affinity.params import Affinity
from stages.common import door, fingerprint, items, pool
from stages.common.artifacts import npz_bytes
from stages.common.device import device, training_place
from stages.common.networks import store
from stages.common.pairs import affinity_loss, pair_kinds
from stages.common.params import load
from stages.common.pictures import Loaded, Picture, load_pictures, loaded
from stages.common.pool import Files
from stages.common.training.augment import normalise
from stages.common.training.loop import fit
from stages.common.training.samples import MaskedSamples, PlacedSamples
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, one

LABELS, OUT = Path("data/affinity_labels/affinity"), Path("data/affinity")
Term = Callable[[Tensor, Tensor, Tensor], Tensor]  # of features, pictures, and where they are inside
NETWORKS = items.SCRATCH / "affinity_network"  # trained networks, where worker processes find them


def main() -> str:
    params = load("affinity", Affinity)
    pictures = load_pictures()
    train, classes = pictures.split("train"), len(pictures.classes)
    key = training_key(params, train)
    torch.manual_seed(params.seed)
    model = build_affinity_net(params.encoder, params.levels, params.channels, params.grid_stride)
    offsets = offset_list(params.radius)
    term = colour_term(params)
    loss = functools.partial(batch_loss, offsets, params.grid_stride, classes, term=term)
    labelled = MaskedSamples(train, params, LABELS)
    samples = PlacedSamples(labelled) if term else labelled
    history = fit("affinity", one(model, loss), samples, params, key)
    config = params.model_dump(include={"encoder", "levels", "channels", "grid_stride", "radius"})
    NETWORKS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=NETWORKS) as network:  # of this process: .scratch may be shared
        store.write_network(Path(network), model, config, history)
        weights = fingerprint.file_hash(Path(network) / "weights.safetensors")
        line = save_maps(params, train, fingerprint.key(key, weights), network)
    items.remove_unused(NETWORKS)
    last = history[-1]
    return f"{line}; loss {last['loss']:.3f} (different {last['different']:.3f})"


def batch_loss(
    offsets: list[tuple[int, int]],
    cell: int,
    classes: int,
    called: Networks,
    batch: Batch,
    _: float,
    term: Term | None = None,
) -> Losses:
    """What the labels say of the pairs, and with a term what colours say; `batch` then ends with `inside`."""
    pictures, labels = batch[:2]
    features = called[MAIN](pictures)
    values, inside = affinities(features, offsets)
    losses = affinity_loss(values, pair_kinds(grid_labels(labels, cell, classes), offsets, inside))
    if term is None:
        return losses
    share = term(features, pictures, batch[2])
    return losses | {"loss": losses["loss"] + share, "regularised": share}


def colour_term(params: Affinity) -> Term | None:
    """The term of `regularised`, if it weighs anything."""
    if not params.regularised.weight:
        return None
    return functools.partial(
        regularised.loss, cell=params.grid_stride, options=params.regularised, encoder=params.encoder
    )


def offset_list(radius: int) -> list[tuple[int, int]]:
    return [(int(dy), int(dx)) for dy, dx in forward_offsets(radius)]


def training_key(params: Affinity, train: list[Picture]) -> str:
    files = [(p.id, p.content_hash(), fingerprint.file_hash(LABELS / f"{p.id}.png")) for p in train]
    code = fingerprint.code_hash("stages.affinity.__main__")
    return fingerprint.key(code, params.model_dump(), files, training_place())


def save_maps(params: Affinity, train: list[Picture], key: str, network: str) -> str:
    """data/affinity: the files of the folder `network` beside maps/ID.npz of every training picture."""
    place = device()
    pool.single_thread()
    compute = AffinityMaps(params.radius, str(place), network)
    _network.cache_clear()
    compute.prepare()
    work = [items.Item(p.id, fingerprint.key(key, p.content_hash()), p) for p in train]
    files = {file.name: file.read_bytes() for file in sorted(Path(network).iterdir())}
    return items.map_items("affinity", OUT, work, compute, read=loaded, also=files, **items.on(place.type))


@dataclass(frozen=True)
class AffinityMaps:
    """Raw affinities of equal-sized pictures: float16 [P, h, w], half of the offsets (W is symmetric)."""

    radius: int
    place: str
    network: str  # its folder

    def prepare(self) -> None:
        _network(self.place, Path(self.network))

    @torch.inference_mode()
    def __call__(self, batch: list[Loaded]) -> list[Files]:
        model, encoder = _network(self.place, Path(self.network))
        arrays = [normalise(pixels, encoder["mean"], encoder["std"]) for _, pixels in batch]
        offsets = offset_list(self.radius)
        values, _ = affinities(model(torch.from_numpy(np.stack(arrays)).to(self.place)), offsets)
        stored = values.cpu().numpy().astype(np.float16)
        return [{"maps/*.npz": _npz(stored[row], offsets, p)} for row, (p, _) in enumerate(batch)]


def _npz(values: np.ndarray, offsets: list[tuple[int, int]], picture: Picture) -> bytes:
    size = np.array([picture.height, picture.width], np.int32)
    return npz_bytes(affinities=values, offsets=np.array(offsets, np.int8), size=size)


@functools.cache
def _network(place: str, folder: Path) -> tuple[AffinityNet, dict[str, Any]]:
    """The trained network, and what its config.json says of its encoder."""
    config = store.read_config(folder)
    model = store.load_into(rebuild_affinity_net(config), folder).to(place)
    return model, config["encoder"]  # type: ignore[return-value]


if __name__ == "__main__":
    door.run("affinity")
