"""Training pictures from disk, decoded once while they fit in memory."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stages.common.artifacts import UNKNOWN, read_mask, read_picture
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
        return self._normalised(picture), None if mask is None else torch.from_numpy(mask.astype(np.int64))

    def _normalised(self, picture: np.ndarray) -> Tensor:
        encoder = self.params.encoder
        return torch.from_numpy(augment.normalise(picture, encoder.mean, encoder.std))

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

    def placed(self, index: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """The same view and mask, and where it lies inside the picture, bool [crop, crop].

        A layer of zeros moves along with the mask: it is unknown outside alone, as the mask may be inside.
        """
        picture, mask = self._read(index)
        assert mask is not None
        layers = np.stack([mask, np.zeros_like(mask)], 2)
        picture, moved = augment.augment(picture, layers, self.params.augment, self.fill, rng)
        assert moved is not None
        labels, inside = moved[..., 0].astype(np.int64), moved[..., 1] != UNKNOWN
        return self._normalised(picture), torch.from_numpy(labels), torch.from_numpy(inside)


@dataclass(frozen=True)
class PlacedSamples:
    """For what must know the border that a view was filled up with: (picture, mask, inside)."""

    of: MaskedSamples

    def __len__(self) -> int:
        return len(self.of)

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
        return self.of.placed(index, rng)


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
