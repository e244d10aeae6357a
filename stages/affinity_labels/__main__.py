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

SEEDS, OUT = Path("data/seeds"), Path("data/affinity_labels")


def main() -> str:
    params = load("affinity_labels", AffinityLabels)
    code = fingerprint.code_hash("stages.affinity_labels.__main__", _module(params))
    base = (code, params.model_dump())
    hashed = fingerprint.file_hash
    work = [
        items.Item(p.id, fingerprint.key(base, p.content_hash(), hashed(SEEDS / f"{p.id}.npz")), p)
        for p in load_pictures().split("train")
    ]
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
        maps = np.maximum(upsample(seeds["maps"], (picture.height, picture.width)), 0)
        options = getattr(self.params, self.params.method)
        rgb = read_picture(picture.path)
        affinity, plain = method.labels(maps, seeds["classes"], rgb, options, self.params.crf)
        return {"affinity/*.png": mask_bytes(affinity), "crf/*.png": mask_bytes(plain)}


if __name__ == "__main__":
    door.run("affinity_labels")
