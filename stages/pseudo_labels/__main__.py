"""Masks that the segmenter learns from: data/seeds or data/cues, and data/affinity -> data/pseudo_labels.

The method's labels may then follow the borders of regions (`merge`).
"""

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

DATA = Path("data")
AFFINITY, OUT = DATA / "affinity/maps", DATA / "pseudo_labels"
NAMED = 3  # files in a message


def main() -> str:
    params = load("pseudo_labels", PseudoLabels)
    compute = PictureLabels(params)
    pictures = load_pictures().split("train")
    if params.merge == "masks":
        check_regions(DATA / params.regions, pictures)
    work = [items.Item(p.id, compute.key(p), p) for p in pictures]
    return items.map_items("pseudo_labels", OUT, work, compute)


def check_regions(folder: Path, pictures: list[Picture]) -> None:
    """ValueError that names the pictures of which there are no regions: a file without any says so itself."""
    lacking = [file for p in pictures if not (file := folder / f"{p.id}.json").is_file()]
    if lacking:
        named = ", ".join(file.name for file in lacking[:NAMED]) + ", ..." * (len(lacking) > NAMED)
        raise ValueError(
            f"{folder}: {len(lacking)} of {len(pictures)} pictures of train have no regions ({named}): "
            "`wsss import regions` makes such files of what SAM wrote"
        )


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
        merge, rule, regions = self._merge()
        code = fingerprint.code_hash("stages.pseudo_labels.__main__", module, *filter(None, [merge]))
        read = [fingerprint.file_hash(DATA / self.params.maps / f"{picture.id}.npz")]
        read += [picture.content_hash()] if "picture" in {*needs, regions} else []
        read += [fingerprint.file_hash(AFFINITY / f"{picture.id}.npz")] if "affinity" in needs else []
        read += [fingerprint.file_hash(self._file(picture))] if regions == "regions" else []
        both = options.model_dump(), rule.model_dump()
        return fingerprint.key(code, both, crf, (picture.height, picture.width), read)

    def labels(self, picture: Picture) -> np.ndarray:
        module, options, needs = self._method()
        merge, _, regions = self._merge()
        pixels = read_picture(picture.path) if "picture" in {*needs, regions} else None
        seeds = read_npz(DATA / self.params.maps / f"{picture.id}.npz")
        found: np.ndarray = importlib.import_module(module).labels(
            seeds["maps"],
            seeds["classes"],
            (picture.height, picture.width),
            options,
            self.params.dense_crf,
            picture=pixels,
            affinity=read_npz(AFFINITY / f"{picture.id}.npz") if "affinity" in needs else None,
        )
        return self._merged(found, picture, pixels) if merge else found

    def _merged(self, labels: np.ndarray, picture: Picture, pixels: np.ndarray | None) -> np.ndarray:
        """The labels along the borders of the regions. ValueError that names the file that is wrong."""
        merge, rule, regions = self._merge()
        file = self._file(picture) if regions == "regions" else picture.path
        content = file.read_bytes() if regions == "regions" else None
        try:
            merged: np.ndarray = importlib.import_module(merge).merged(labels, rule, pixels, content)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
        return merged

    def _method(self) -> tuple[str, Any, set[str]]:
        """The method's module, its section of the parameters, and what it reads beside the seeds."""
        module = f"stages.pseudo_labels.{self.params.method}"
        options = getattr(self.params, self.params.method)
        return module, options, importlib.import_module(module).needs(options)

    def _merge(self) -> tuple[str, Any, str]:
        """The module of the regions, or an empty text; its section; and what it reads."""
        section = getattr(self.params, self.params.merge)
        if self.params.merge == "none":
            return "", section, ""
        module = f"stages.pseudo_labels.merges.{self.params.merge}"
        return module, section, importlib.import_module(module).NEEDS

    def _file(self, picture: Picture) -> Path:
        """Of the picture's regions, where somebody made them."""
        return DATA / self.params.regions / f"{picture.id}.json"


if __name__ == "__main__":
    door.run("pseudo_labels")
