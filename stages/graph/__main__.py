"""A graph network for each picture of train: data/affinity_labels/nodes and data/affinity -> data/graph.

Each is trained from nothing, in seconds, on its own picture: ten new pictures cost ten. On a GPU one after
the other: in a batch of several, the bytes of one would depend on which others are left to do.
"""

import functools
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch.nn import functional as F

from stages.affinity.network import AffinityNet, rebuild_affinity_net
from stages.affinity.offsets import forward_offsets
from stages.common import door, fingerprint, items, pool
from stages.common.annotations import Box, load_annotations
from stages.common.artifacts import UNKNOWN, mask_bytes, read_mask, read_npz
from stages.common.crf import infer_labels, unary_from_scores
from stages.common.device import device, training_place
from stages.common.networks import store
from stages.common.params import load
from stages.common.pictures import Loaded, Picture, load_pictures, loaded
from stages.common.pool import Files
from stages.common.training.augment import normalise
from stages.graph.a2gnn import Known, probabilities
from stages.graph.fusion import fused
from stages.graph.nodes import PictureGraph, picture_graph
from stages.graph.params import Graph

NODES, SEEDS = Path("data/affinity_labels/nodes"), Path("data/seeds")
NETWORK, AFFINITY, OUT = Path("data/affinity"), Path("data/affinity/maps"), Path("data/graph")
FILES = ("config.json", "weights.safetensors")


def main() -> str:
    params = load("graph", Graph)
    pictures, place = load_pictures(), device()
    boxes = load_annotations(pictures.classes).boxes
    network = fingerprint.key([fingerprint.file_hash(NETWORK / name) for name in FILES])
    compute = PictureMasks(params, boxes, str(place), network)
    compute.prepare()
    code = fingerprint.code_hash("stages.graph.__main__")
    base = (code, params.model_dump(), network, training_place(alone=True))
    work = [items.Item(p.id, fingerprint.key(base, compute.read(p)), p) for p in pictures.split("train")]
    processes = None if place.type == "cpu" else 0
    return items.map_items("graph", OUT, work, compute, read=loaded, processes=processes, device=place.type)


@dataclass(frozen=True)
class PictureMasks:
    """The mask of each picture of train, a palette PNG."""

    params: Graph
    boxes: dict[str, list[Box]]
    place: str
    network: str  # a key of its files, for processes that stay while these change

    def prepare(self) -> None:
        """A network that is not there or damaged is told before processes start."""
        pool.single_thread()
        _network(self.place, self.network)

    def read(self, picture: Picture) -> list[Any]:
        """What makes the mask, beside parameters and network, for its key."""
        files = [NODES / f"{picture.id}.png"]
        files += [AFFINITY / f"{picture.id}.npz"] * self._reads_affinities()
        files += [SEEDS / f"{picture.id}.npz"] * bool(self.params.walk.share)
        drawn = [asdict(box) for box in self._boxes(picture)]
        return [picture.id, picture.content_hash(), picture.labels, drawn, *map(fingerprint.file_hash, files)]

    def __call__(self, batch: list[Loaded]) -> list[Files]:
        return [{"*.png": mask_bytes(self.mask(picture, pixels))} for picture, pixels in batch]

    def mask(self, picture: Picture, pixels: np.ndarray) -> np.ndarray:
        """Class indices uint8 [H, W] of RGB uint8 [H, W, 3]."""
        affinity = read_npz(AFFINITY / f"{picture.id}.npz") if self._reads_affinities() else {}
        graph = self._graph(pixels, affinity)
        known = self._known(picture, pixels, graph)
        seed = int(fingerprint.key(self.params.seed, picture.id)[:15], 16)
        found = probabilities(graph, known, self.params, seed).cpu().numpy()
        if self.params.walk.share:
            maps = read_npz(SEEDS / f"{picture.id}.npz")["maps"]  # of picture.labels, in their order
            found = fused(found, maps, affinity, self.params.walk)
        unary = unary_from_scores(found)
        return infer_labels(pixels, [unary], np.array(picture.labels, np.int64), self.params.crf)[0]

    @torch.no_grad()
    def _graph(self, pixels: np.ndarray, affinity: dict[str, np.ndarray]) -> PictureGraph:
        net, config = _network(self.place, self.network)
        encoder, single = config["encoder"], self.params.pool == 1
        x = torch.from_numpy(normalise(pixels, encoder["mean"], encoder["std"]))[None].to(self.place)
        stored = torch.from_numpy(affinity["affinities"]).to(self.place) if single else None
        offsets = [(int(dy), int(dx)) for dy, dx in forward_offsets(config["radius"])]
        return picture_graph(net, x, offsets, self.params.pool, stored)

    def _known(self, picture: Picture, pixels: np.ndarray, graph: PictureGraph) -> Known:
        """ValueError for a node label that is not among the picture's."""
        position = {label: at for at, label in enumerate([0, *picture.labels])}
        file = NODES / f"{picture.id}.png"
        table = np.array([position.get(label, UNKNOWN) for label in range(UNKNOWN + 1)])
        labels = read_mask(file)
        if wrong := sorted({*np.unique(labels).tolist()} - {*position, UNKNOWN}):
            raise ValueError(
                f"{file}: class {wrong[0]} is not among the picture's labels: "
                "`wsss run affinity_labels` makes it anew"
            )
        rgb = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
        colours = F.avg_pool2d(rgb, graph.cell, ceil_mode=True)[0]
        boxes = [(box, position[box.label]) for box in self._boxes(picture)]
        known = torch.from_numpy(table[labels]).to(self.place)
        return Known(len(position), known, boxes, colours.to(self.place))

    def _boxes(self, picture: Picture) -> list[Box]:
        """Those that a loss or a check reads."""
        used = self.params.multi_point or self.params.consistent_above is not None
        return self.boxes.get(picture.id, []) if used else []

    def _reads_affinities(self) -> bool:
        return self.params.pool == 1 or bool(self.params.walk.share)


@functools.cache
def _network(place: str, key: str) -> tuple[AffinityNet, dict[str, Any]]:
    """The trained network of data/affinity, and its config.json."""
    config = store.read_config(NETWORK, "encoder", "radius")
    return cast(AffinityNet, store.load_into(rebuild_affinity_net(config), NETWORK, place)), config


if __name__ == "__main__":
    door.run("graph")
