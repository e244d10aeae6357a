"""Training pictures from disk, decoded once while they fit in memory."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stages.common.artifacts import read_mask, read_picture
from stages.common.pictures import Picture
from stages.common.training import augment
from stages.common.training.params import Training

CACHE_BYTES = 1 << 30


class PictureSamples:
    """Random views of pictures and, where `masks` names a folder, of their masks."""

    def __init__(self, pictures: list[Picture], params: Training, masks: Path | None = None) -> None:
        self.pictures, self.params, self.masks = pictures, params, masks
        self.fill = augment.fill_colour(params.encoder.mean)
        self.kept: dict[int, tuple[np.ndarray, np.ndarray | None]] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self.pictures)

    def view(self, index: int, rng: np.random.Generator) -> tuple[Tensor, Tensor | None]:
        """A normalised view, float32 [3, crop, crop], and its mask, int64 [crop, crop]."""
        picture, mask = augment.augment(*self._read(index), self.params.augment, self.fill, rng)
        encoder = self.params.encoder
        x = torch.from_numpy(augment.normalise(picture, encoder.mean, encoder.std))
        return x, None if mask is None else torch.from_numpy(mask.astype(np.int64))

    def mask(self, picture: Picture) -> np.ndarray | None:
        """What moves along with the picture, uint8 [H, W]."""
        return None if self.masks is None else read_mask(self.masks / f"{picture.id}.png")

    def _read(self, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        if index in self.kept:
            return self.kept[index]
        picture = self.pictures[index]
        pair = read_picture(picture.path), self.mask(picture)
        size = pair[0].nbytes + (0 if pair[1] is None else pair[1].nbytes)
        if self.bytes + size <= CACHE_BYTES:
            self.kept[index] = pair
            self.bytes += size
        return pair


class MaskedSamples(PictureSamples):
    """For the steps that train on masks: (picture, mask)."""

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
        x, mask = self.view(index, rng)
        assert mask is not None
        return x, mask


class LabelledSamples(PictureSamples):
    """For the classifier: (picture, 0/1 of each class), float32 [C]."""

    def __init__(self, pictures: list[Picture], params: Training, classes: int) -> None:
        super().__init__(pictures, params)
        self.targets = torch.zeros(len(pictures), classes)
        for row, picture in enumerate(pictures):
            for label in picture.labels:
                self.targets[row, label - 1] = 1

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
        return self.view(index, rng)[0], self.targets[index]
