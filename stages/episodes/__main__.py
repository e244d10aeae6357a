"""Score a fold's network: data/few_shot/FOLD on data/fold_masks/FOLD/novel -> reports/few_shot/FOLD.

Each episode asks for one class in a picture of val, by supports that show it. The masks say what was right;
nothing reads these scores, and no epoch or parameter is chosen by them.
"""

import csv
import functools
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from stages.common import door, fingerprint, items, pool
from stages.common.artifacts import (
    grey_bytes,
    npz_arrays,
    npz_bytes,
    read_mask,
    read_picture,
)
from stages.common.device import device
from stages.common.params import load
from stages.common.pictures import Picture, load_pictures
from stages.common.pool import Files
from stages.episodes import scores, tables
from stages.episodes.names import AVERAGE, heading, kinds
from stages.episodes.params import Episodes
from stages.few_shot.fusion import fused, usefulness
from stages.few_shot.segment import FewShotSegmenter
from stages.fold_masks.classes import asked
from stages.fold_masks.folds import Episode, object_mask

NETWORKS, NOVEL, MASKS = Path("data/few_shot"), Path("data/fold_masks"), Path("data/masks")
COUNTS, FOUND = "*.npz", "found{}/*.png"
NETWORK = ("config.json", "weights.safetensors")


class Asked(NamedTuple):
    """An episode with its pictures, RGB uint8 [H, W, 3], and masks uint8 [H, W] of 1, 0 and 255."""

    query: np.ndarray
    supports: list[np.ndarray]
    masks: list[np.ndarray]
    truth: np.ndarray


def main() -> str:
    fold, params = asked(sys.argv[1:]), load("episodes", Episodes)
    pictures, place = load_pictures(), device()
    known = {picture.id: picture for picture in pictures.split("val")}
    episodes = read_episodes(NOVEL / str(fold) / "novel" / "episodes.csv", max(params.shots))
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
    shown = spread(work, params.shown)
    rows = [(item.task, read(item.task), [_found(results, item, name) for name in names]) for item in shown]
    tables.draw(fold, rows, names, pictures.classes)
    told = ", ".join(f"{values[f'miou_{name}']:.2f} % ({heading(name)})" for name in names)
    return f"episodes@{fold}: {len(work)} episodes, {results.computed} computed; mIoU {told}"


def read_episodes(file: Path, supports: int) -> list[Episode]:
    """With so many supports each. ValueError where there are fewer."""
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.reader(lines))
    there = len(rows[0]) - 4
    if there < supports:
        raise ValueError(
            f"episodes.shots: {supports} supports are asked for, and fold_masks.supports is {there}: raise it"
        )
    return [
        Episode(int(row[0]), int(row[1]), int(row[2]), row[3], tuple(row[4 : 4 + supports]))
        for row in rows[1:]
    ]


def spread(work: Sequence[items.Item], number: int) -> list[items.Item]:
    """So many of them, from the first to the last."""
    return [work[at] for at in sorted({int(at) for at in np.linspace(0, len(work) - 1, number)})]


def _found(results: items.Results, item: items.Item, name: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(results.read(item, FOUND.format(name)))))


@dataclass(frozen=True)
class Reading:
    """What an episode shows."""

    pictures: dict[str, Picture]
    fold: int

    def hashes(self, one: Episode) -> list[str]:
        """Of all files that make its result."""
        ids = (one.query, *one.supports)
        masks = [MASKS / f"{one.query}.png", *(self._mask(one, name) for name in one.supports)]
        return [self.pictures[name].content_hash() for name in ids] + [_hash(str(mask)) for mask in masks]

    def __call__(self, one: Episode) -> Asked:
        return Asked(
            read_picture(self.pictures[one.query].path),
            [read_picture(self.pictures[name].path) for name in one.supports],
            [read_mask(self._mask(one, name)) for name in one.supports],
            object_mask(read_mask(MASKS / f"{one.query}.png"), one.label),
        )

    def _mask(self, one: Episode, name: str) -> Path:
        return NOVEL / str(self.fold) / "novel" / str(one.label) / f"{name}.png"


@functools.cache  # a picture is in many episodes
def _hash(file: str) -> str:
    return fingerprint.file_hash(Path(file))


@dataclass(frozen=True)
class Guesses:
    """The counts of each kind of fusion, int64 [kinds, 2, 2], and what was found, PNGs of 0 and 1."""

    fold: int
    params: Episodes
    place: str
    network: str  # a key of its files, for processes that stay while these change

    def prepare(self) -> None:
        """A network that is not there or damaged is told before processes start."""
        pool.single_thread()
        _segmenter(self.fold, self.place, self.params.precision == "bf16", self.network)

    def __call__(self, batch: list[Asked]) -> list[Files]:
        return [self._files(one) for one in batch]

    def _files(self, one: Asked) -> Files:
        found = self.found(one)
        counts = np.stack([scores.counts(one.truth, mask) for mask in found.values()])
        pictures = {FOUND.format(name): grey_bytes(mask) for name, mask in found.items()}
        return {COUNTS: npz_bytes(counts=counts), **pictures}

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
        return {name: mask.argmax(0).cpu().numpy().astype(np.uint8) for name, mask in found.items()}

    def _network(self) -> FewShotSegmenter:
        return _segmenter(self.fold, self.place, self.params.precision == "bf16", self.network)


@functools.cache
def _segmenter(fold: int, place: str, half: bool, key: str) -> FewShotSegmenter:
    return FewShotSegmenter.load(NETWORKS / str(fold), place, half)


if __name__ == "__main__":
    door.run("episodes")
