"""One picture whose pixels are to be ranked."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from torch import Tensor

from stages.classifier.network import ClassifierNet
from stages.diagnosis.params import Occlusion
from stages.explanation.answers import passes


class Case(NamedTuple):
    """`black` and `fill` are colours as the network sees them, [3, 1, 1]; `rows` are pictures of one pass."""

    model: ClassifierNet
    picture: Tensor  # normalised, [3, H, W]
    target: int  # the class, from 0
    black: Tensor
    fill: Tensor
    occlusion: Occlusion
    seed: tuple[int, ...]
    rows: int

    def scores(self, pictures: Iterable[np.ndarray]) -> np.ndarray:
        """Of pictures [3, H, W] as the network sees them, float64 [N, C]."""
        found = passes(self.model, iter(pictures), self.rows, self.picture.device, half=False)
        return np.concatenate([scores.numpy() for scores in found])
