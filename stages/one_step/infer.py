"""What the trained network says of pictures."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from stages.common.artifacts import mask_bytes
from stages.common.networks import store
from stages.common.pictures import Loaded
from stages.common.pool import Files, Halves
from stages.one_step.network import rebuild_rrm
from stages.predictions.any_labeller import Answer, AnyLabeller, Rough


@dataclass(frozen=True)
class OneStepLabeller(AnyLabeller):
    """The network of `folder`, which segments by the mean of both branches."""

    def trained(self) -> tuple[nn.Module, dict[str, Any]]:
        return _load(self.folder, self.place)


@functools.cache
def _load(folder: Path, place: str) -> tuple[nn.Module, dict[str, Any]]:
    config = store.read_config(folder, "encoder", "heads", "classes")
    return store.load_into(rebuild_rrm(config), folder, place), config


@dataclass(frozen=True)
class SplitMasks(Halves):
    """The masks of equal-sized pictures, palette PNGs in a folder for each split."""

    labeller: OneStepLabeller

    @property
    def apart(self) -> bool:
        return self.labeller.params.crf

    def begin(self, batch: list[Loaded]) -> list[tuple[str, Answer | Rough]]:
        found = self.labeller.rough([pixels for _, pixels in batch])
        return [(picture.split, one) for (picture, _), one in zip(batch, found, strict=True)]

    def finish(self, one: tuple[str, Answer | Rough]) -> Files:
        split, rough = one
        return {f"{split}/*.png": mask_bytes(self.labeller.refined(rough).labels)}
