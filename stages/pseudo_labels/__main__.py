"""Masks that the segmenter learns from: data/seeds and data/affinity -> data/pseudo_labels."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.common import door, fingerprint, items
from stages.common.artifacts import mask_bytes, read_npz, read_picture
from stages.common.params import load
from stages.common.pictures import Picture, load_pictures
from stages.common.pool import Files
from stages.pseudo_labels.params import PseudoLabels

SEEDS, AFFINITY, OUT = Path("data/seeds"), Path("data/affinity/maps"), Path("data/pseudo_labels")


def main() -> str:
    params = load("pseudo_labels", PseudoLabels)
    compute = PictureLabels(params)
    work = [items.Item(p.id, compute.key(p), p) for p in load_pictures().split("train")]
    return items.map_items("pseudo_labels", OUT, work, compute)


@dataclass(frozen=True)
class PictureLabels:
    """The mask of each training picture, by the chosen method."""

    params: PseudoLabels

    def __call__(self, pictures: list[Picture]) -> list[Files]:
        return [{"*.png": mask_bytes(self.labels(picture))} for picture in pictures]

    def key(self, picture: Picture) -> str:
        """Of what the method reads, and of no more."""
        module, options, needs = self._method()
        crf = self.params.dense_crf.model_dump() if "picture" in needs else None
        code = fingerprint.code_hash("stages.pseudo_labels.__main__", module)
        read = [fingerprint.file_hash(SEEDS / f"{picture.id}.npz")]
        read += [picture.content_hash()] if "picture" in needs else []
        read += [fingerprint.file_hash(AFFINITY / f"{picture.id}.npz")] if "affinity" in needs else []
        return fingerprint.key(code, options.model_dump(), crf, (picture.height, picture.width), read)

    def labels(self, picture: Picture) -> np.ndarray:
        module, options, needs = self._method()
        seeds = read_npz(SEEDS / f"{picture.id}.npz")
        return importlib.import_module(module).labels(
            seeds["maps"],
            seeds["classes"],
            (picture.height, picture.width),
            options,
            self.params.dense_crf,
            picture=read_picture(picture.path) if "picture" in needs else None,
            affinity=read_npz(AFFINITY / f"{picture.id}.npz") if "affinity" in needs else None,
        )

    def _method(self) -> tuple[str, Any, set[str]]:
        """The method's module, its section of the parameters, and what it reads beside the seeds."""
        module = f"stages.pseudo_labels.{self.params.method}"
        options = getattr(self.params, self.params.method)
        return module, options, importlib.import_module(module).needs(options)


if __name__ == "__main__":
    door.run("pseudo_labels")
