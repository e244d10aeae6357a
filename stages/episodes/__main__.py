"""Score a fold's network: data/few_shot/FOLD on data/fold_masks/FOLD/novel -> reports/few_shot/FOLD.

Each episode asks for one class in a picture of val, by supports that show it. The masks say what was right;
nothing reads these scores, and no epoch or parameter is chosen by them.
"""

import functools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stages.common import door, fingerprint, items, pool
from stages.common.artifacts import npz_arrays, npz_bytes
from stages.common.device import device
from stages.common.params import load
from stages.common.pictures import load_pictures
from stages.common.pool import Files
from stages.episodes import scores, tables
from stages.episodes.names import ANY, AVERAGE, heading, kinds
from stages.episodes.params import Episodes
from stages.episodes.reading import Asked, Reading, read_episodes
from stages.few_shot.fusion import fused, usefulness
from stages.few_shot.segment import FewShotSegmenter
from stages.fold_masks.classes import asked
from stages.fold_masks.folds import Episode

NETWORKS, COUNTS = Path("data/few_shot"), "*.npz"
NETWORK = ("config.json", "weights.safetensors")


def main() -> str:
    fold, params = asked(sys.argv[1:]), load("episodes", Episodes)
    pictures, place = load_pictures(), device()
    known = {picture.id: picture for picture in pictures.split("val")}
    episodes = read_episodes(fold, max(params.shots))
    network = [fingerprint.file_hash(NETWORKS / str(fold) / name) for name in NETWORK]
    base = (fingerprint.code_hash("stages.episodes.__main__"), network, params.model_dump(exclude={"shown"}))
    read = Reading(known, fold)
    work = [
        items.Item(f"{one.run}-{one.number}", fingerprint.key(base, one[2:], read.hashes(one)), one)
        for one in episodes
    ]
    compute = Guesses(fold, params, str(place), fingerprint.key(network))
    compute.prepare()
    processes = None if place.type == "cpu" else 0
    results = items.compute_items("episodes", work, compute, read=read, processes=processes)
    found = np.array([npz_arrays(results.read(item, COUNTS))["counts"] for item in work])
    names = kinds(params.shots)
    values = tables.write(fold, episodes, found, names, pictures.classes)
    shown = [(one, read(one)) for one in spread(episodes, params.shown)]
    rows = [(one, seen, list(compute.found(seen).values())) for one, seen in shown]
    tables.draw(fold, rows, names, pictures.classes)
    told = ", ".join(f"{values[f'miou_{name}']:.2f} % ({heading(name)})" for name in names)
    return f"episodes@{fold}: {len(work)} episodes, {results.computed} computed; mIoU {told}"


def spread(episodes: Sequence[Episode], number: int) -> list[Episode]:
    """So many of them, from the first to the last."""
    return [episodes[at] for at in sorted({int(at) for at in np.linspace(0, len(episodes) - 1, number)})]


@dataclass(frozen=True)
class Guesses:
    """The counts of each kind of fusion, int64 [kinds, 2, 2]."""

    fold: int
    params: Episodes
    place: str
    network: str  # a key of its files, for processes that stay while these change

    def prepare(self) -> None:
        """A network that is not there or damaged is told before processes start."""
        pool.single_thread()
        _segmenter(self.fold, self.place, self.params.precision == "bf16", self.network)

    def __call__(self, batch: list[Asked]) -> list[Files]:
        found = ([scores.counts(one.truth, mask) for mask in self.found(one).values()] for one in batch)
        return [{COUNTS: npz_bytes(counts=np.stack(of_kinds))} for of_kinds in found]

    def found(self, one: Asked) -> dict[str, np.ndarray]:
        """Where the query shows the object, uint8 [H, W], by each of `names.kinds`."""
        net = self._network()
        supports = net.guides(one.supports, one.masks)
        scores_by = net.by_each(one.query, supports)
        useful = net.useful(supports) if len(one.supports) > 1 else None
        found = {}
        for shots in self.params.shots:
            by = scores_by[:shots]
            alike = torch.ones(shots, device=by.device)
            if shots > 1 and useful is not None:
                weights = usefulness(useful[:shots, :shots], supports.labels[:shots])
                found[str(shots)] = fused(by, weights)
                found[f"{shots}_{AVERAGE}"] = fused(by, alike)
            else:
                found[str(shots)] = fused(by, alike)
        masks = {name: mask.argmax(0).cpu().numpy().astype(np.uint8) for name, mask in found.items()}
        return masks | {ANY: (one.objects == 1).astype(np.uint8)}

    def _network(self) -> FewShotSegmenter:
        return _segmenter(self.fold, self.place, self.params.precision == "bf16", self.network)


@functools.cache
def _segmenter(fold: int, place: str, half: bool, key: str) -> FewShotSegmenter:
    return FewShotSegmenter.load(NETWORKS / str(fold), place, half)


if __name__ == "__main__":
    door.run("episodes")
