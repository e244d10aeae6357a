"""The colours of normalised pictures."""

import numpy as np
import torch

from stages.common.params import read_yaml
from stages.common.training.augment import normalise
from stages.common.training.colours import grey_values
from stages.common.training.params import Encoder
from tests.segmenter.scenes import SHIPPED


def test_they_are_what_was_read():
    encoder = Encoder.model_validate(read_yaml(SHIPPED)["segmenter"]["encoder"])
    pictures = np.random.default_rng(0).integers(0, 256, (2, 40, 50, 3), np.uint8)
    normalised = np.stack([normalise(picture, encoder.mean, encoder.std) for picture in pictures])
    found = grey_values(torch.from_numpy(normalised), encoder)
    assert found.dtype == torch.float32
    assert torch.equal(found, torch.from_numpy(pictures).permute(0, 3, 1, 2).float())
