"""Training pictures with where the seeds are sure of an object, and with the labels of the first maps."""

from pathlib import Path

import numpy as np

from stages.common.artifacts import read_mask, read_npz
from stages.common.labels import upsample
from stages.common.pictures import Picture
from stages.common.training.params import Training
from stages.common.training.samples import MaskedSamples


def strength(seeds: Path, picture: Picture) -> np.ndarray:
    """The highest seed of each pixel, float32 [H, W]; 0 where a picture has no class."""
    maps = read_npz(seeds / f"{picture.id}.npz")["maps"]
    return upsample(maps, (picture.height, picture.width)).max(0, initial=0)


class SureSamples(MaskedSamples):
    """(picture, mask): 1 where a seed is `delta` or higher, else 0, 255 outside of the picture.

    Without `seeds` no pixel is sure: the masks say where the picture is.
    """

    def __init__(self, pictures: list[Picture], params: Training, seeds: Path | None, delta: float) -> None:
        super().__init__(pictures, params)
        self.seeds, self.delta = seeds, delta

    def mask(self, picture: Picture) -> np.ndarray:
        if self.seeds is None:
            return np.zeros((picture.height, picture.width), np.uint8)
        return (strength(self.seeds, picture) >= self.delta).astype(np.uint8)


class LabelSamples(MaskedSamples):
    """(picture, mask): object or ground, of files by id."""

    def __init__(self, pictures: list[Picture], params: Training, files: dict[str, Path]) -> None:
        super().__init__(pictures, params)
        self.files = files

    def mask(self, picture: Picture) -> np.ndarray:
        return read_mask(self.files[picture.id])
