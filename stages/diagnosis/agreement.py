"""How far two maps of a picture put its parts in the same order."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import spearmanr
from torch.nn import functional as F

CELLS = 16  # along each side: single pixels are noise


def coarse(relevance: np.ndarray) -> np.ndarray:
    """A map [H, W] as means over CELLS x CELLS parts."""
    map_ = torch.from_numpy(np.asarray(relevance, np.float64))
    return F.adaptive_avg_pool2d(map_[None], CELLS)[0].numpy()


def ranks(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's rank correlation of two maps, from -1 to 1; NaN where one is constant."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return np.nan
    return float(spearmanr(one.ravel(), other.ravel()).statistic)


def mean(found: Sequence[float]) -> float:
    """Of the pictures that have a correlation; NaN where none has."""
    known = [value for value in found if not np.isnan(value)]
    return float(np.mean(known)) if known else np.nan
