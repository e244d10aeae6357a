"""Labels for the affinity network, plain CRF labels, and of some methods labels for the nodes of a graph:
data/seeds or data/cues -> data/affinity_labels.
"""

import importlib
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.affinity_labels.drawn import Drawn
from stages.affinity_labels.params import AffinityLabels
from stages.common import door, fingerprint, items
from stages.common.annotations import ROOT as ANNOTATIONS
from stages.common.annotations import Annotations, Box, load_annotations
from stages.common.annotations_params import MARKED, Kind
from stages.common.artifacts import mask_bytes, read_mask, read_npz, read_picture
from stages.common.labels import upsample
from stages.common.params import load
from stages.common.pictures import Picture, load_pictures
from stages.common.pool import Files

DATA = Path("data")
OUT = DATA / "affinity_labels"
FOLDERS = ("affinity", "crf", "nodes")  # of what a method makes, which may be the first two


class Task(NamedTuple):
    picture: Picture
    boxes: list[Box]  # where the method reads them


def main() -> str:
    params = load("affinity_labels", AffinityLabels)
    code = fingerprint.code_hash("stages.affinity_labels.__main__", _module(params))
    base = (code, params.model_dump())
    hashed = fingerprint.file_hash
    read = [_maps(params), *([DATA / "saliency"] if params.hints == "saliency" else [])]
    pictures = load_pictures()
    drawn = load_annotations(pictures.classes) if params.hints == "annotations" else None
    work = []
    for p in pictures.split("train"):
        files = [hashed(folder / f"{p.id}.npz") for folder in read]
        own = key_of(drawn, p.id) if drawn else []
        task = Task(p, drawn.boxes.get(p.id, []) if drawn else [])
        work.append(items.Item(p.id, fingerprint.key(base, p.content_hash(), *files, *own), task))
    return items.map_items("affinity_labels", OUT, work, PictureLabels(params, drawn.kind if drawn else None))


def _maps(params: AffinityLabels) -> Path:
    """The folder of the maps: of seeds, or of cues."""
    assert params.of  # the stage is a foreach over it
    return DATA / params.of[0]


def _module(params: AffinityLabels) -> str:
    return f"stages.affinity_labels.{params.method}"


def key_of(drawn: Annotations, identifier: str) -> list[object]:
    """All that is read of a picture's annotations."""
    if drawn.kind in MARKED:
        return [drawn.kind, fingerprint.file_hash(ANNOTATIONS / f"{identifier}.png")]
    return [drawn.kind, *map(astuple, drawn.boxes.get(identifier, []))]


@dataclass(frozen=True)
class PictureLabels:
    """The label pictures of each training picture."""

    params: AffinityLabels
    kind: Kind | None  # of the annotations; None: they are not read

    def __call__(self, tasks: list[Task]) -> list[Files]:
        return [self._one(task) for task in tasks]

    def _one(self, task: Task) -> Files:
        method = importlib.import_module(_module(self.params))
        picture = task.picture
        seeds = read_npz(_maps(self.params) / f"{picture.id}.npz")
        size = (picture.height, picture.width)
        maps = np.maximum(upsample(seeds["maps"], size), 0)
        options = getattr(self.params, self.params.method)
        rgb = read_picture(picture.path)
        hints = [*self._hints(picture, size), *self._drawn(task)]
        found = method.labels(maps, seeds["classes"], rgb, options, self.params.crf, *hints)
        return {f"{folder}/*.png": mask_bytes(one) for folder, one in zip(FOLDERS, found, strict=False)}

    def _hints(self, picture: Picture, size: tuple[int, int]) -> list[np.ndarray]:
        """The saliency map [H, W], where one is read."""
        if self.params.hints != "saliency":
            return []
        return [upsample(read_npz(DATA / "saliency" / f"{picture.id}.npz")["maps"], size)[0]]

    def _drawn(self, task: Task) -> list[Drawn]:
        """What people drew on the picture, where it is read."""
        if self.kind is None:
            return []
        marks = read_mask(ANNOTATIONS / f"{task.picture.id}.png") if self.kind in MARKED else None
        return [Drawn(self.kind, task.boxes, marks)]


if __name__ == "__main__":
    door.run("affinity_labels")
