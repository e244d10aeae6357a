"""What the trained network says of pictures."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from stages.common.artifacts import mask_bytes
from stages.common.networks import store
from stages.common.pictures import Loaded
from stages.common.pool import Files
from stages.one_step.network import rebuild_rrm
from stages.predictions.any_labeller import AnyLabeller


@dataclass(frozen=True)
class OneStepLabeller(AnyLabeller):
    """The network of `folder`, which segments by the mean of both branches."""

    def trained(self) -> tuple[nn.Module, dict[str, Any]]:
        return _load(self.folder, self.place)


@functools.cache
def _load(folder: Path, place: str) -> tuple[nn.Module, dict[str, Any]]:
    config = store.read_config(folder, "encoder", "heads", "classes")
    return store.load_into(rebuild_rrm(config), folder).to(place), config


@dataclass(frozen=True)
class SplitMasks:
    """The masks of equal-sized pictures, palette PNGs in a folder for each split."""

    labeller: OneStepLabeller

    def __call__(self, batch: list[Loaded]) -> list[Files]:
        found = self.labeller.labels([pixels for _, pixels in batch])
        return [
            {f"{picture.split}/*.png": mask_bytes(labels)}
            for (picture, _), labels in zip(batch, found, strict=True)
        ]
