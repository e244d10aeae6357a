"""Confident labels for the affinity network, and plain CRF labels: data/seeds -> data/affinity_labels."""

import importlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.affinity_labels.params import AffinityLabels
from stages.common import door, fingerprint, items
from stages.common.artifacts import mask_bytes, read_npz, read_picture
from stages.common.labels import upsample
from stages.common.params import load
from stages.common.pictures import Picture, load_pictures
from stages.common.pool import Files

DATA = Path("data")
SEEDS, OUT = DATA / "seeds", DATA / "affinity_labels"


def main() -> str:
    params = load("affinity_labels", AffinityLabels)
    code = fingerprint.code_hash("stages.affinity_labels.__main__", _module(params))
    base = (code, params.model_dump())
    hashed = fingerprint.file_hash
    read = [SEEDS] if params.hints == "nothing" else [SEEDS, DATA / params.hints]
    work = []
    for p in load_pictures().split("train"):
        files = [hashed(folder / f"{p.id}.npz") for folder in read]
        work.append(items.Item(p.id, fingerprint.key(base, p.content_hash(), *files), p))
    return items.map_items("affinity_labels", OUT, work, PictureLabels(params))


def _module(params: AffinityLabels) -> str:
    return f"stages.affinity_labels.{params.method}"


@dataclass(frozen=True)
class PictureLabels:
    """The two label pictures of each training picture."""

    params: AffinityLabels

    def __call__(self, pictures: list[Picture]) -> list[Files]:
        return [self._one(picture) for picture in pictures]

    def _one(self, picture: Picture) -> Files:
        method = importlib.import_module(_module(self.params))
        seeds = read_npz(SEEDS / f"{picture.id}.npz")
        size = (picture.height, picture.width)
        maps = np.maximum(upsample(seeds["maps"], size), 0)
        options = getattr(self.params, self.params.method)
        rgb = read_picture(picture.path)
        hints = self._hints(picture, size)
        affinity, plain = method.labels(maps, seeds["classes"], rgb, options, self.params.crf, *hints)
        return {"affinity/*.png": mask_bytes(affinity), "crf/*.png": mask_bytes(plain)}

    def _hints(self, picture: Picture, size: tuple[int, int]) -> list[np.ndarray]:
        """The saliency map [H, W], where one is read."""
        if self.params.hints == "nothing":
            return []
        return [upsample(read_npz(DATA / self.params.hints / f"{picture.id}.npz")["maps"], size)[0]]


if __name__ == "__main__":
    door.run("affinity_labels")
