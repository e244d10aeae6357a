"""Training pictures with their image labels, and what of a view is picture."""

import numpy as np
from torch import Tensor

from stages.common.artifacts import UNKNOWN
from stages.common.pictures import Picture
from stages.common.training.samples import LabelledSamples


class InsideSamples(LabelledSamples):
    """(picture, 0/1 of each class, float32 [C], inside, bool [crop, crop])."""

    def mask(self, picture: Picture) -> np.ndarray:
        """Of zeros: a view's is 255 outside of the picture. It is made, for no mask is read here."""
        return np.zeros((picture.height, picture.width), np.uint8)

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
        x, outside = self.view(index, rng)
        assert outside is not None
        return x, self.targets[index], outside != UNKNOWN
