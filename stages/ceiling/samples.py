"""Training pictures with the labels of the recipe, corrected by the masks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from stages.common.artifacts import read_mask
from stages.common.pictures import Picture
from stages.common.training.params import Training
from stages.common.training.samples import MaskedSamples

Correct = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""What is learned from, of the truth and the labels, all uint8 [H, W]."""


class CorrectedSamples(MaskedSamples):
    def __init__(
        self, pictures: list[Picture], params: Training, masks: Path, labels: Path, correct: Correct
    ) -> None:
        super().__init__(pictures, params, masks)
        self.labels, self.correct = labels, correct

    def mask(self, picture: Picture) -> np.ndarray | None:
        truth = super().mask(picture)
        assert truth is not None
        return self.correct(truth, read_mask(self.labels / f"{picture.id}.png"))
