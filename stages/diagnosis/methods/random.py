"""Pixels in random order: what removing any pixels does."""

import numpy as np
import torch
from torch import Tensor

from stages.diagnosis.case import Case


def relevance(case: Case) -> Tensor:
    """[H, W], drawn of the step's seed and the picture's id."""
    return torch.from_numpy(np.random.default_rng(case.seed).random(tuple(case.picture.shape[1:])))
