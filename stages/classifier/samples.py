"""The training pictures of strategies that erase one class of each picture."""

import numpy as np
import torch
from torch import Tensor

from stages.common.training.samples import LabelledSamples


class ChosenSamples(LabelledSamples):
    """(picture, 0/1 of each class, 1 for one of the picture's classes), float32 [C] each.

    The class is drawn after the view, so that the views are those of every other strategy. A picture
    without a class has none.
    """

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
        picture, targets = super().sample(index, rng)
        chosen = torch.zeros_like(targets)
        present = torch.nonzero(targets).flatten()
        if len(present):
            chosen[present[int(rng.integers(len(present)))]] = 1
        return picture, targets, chosen
