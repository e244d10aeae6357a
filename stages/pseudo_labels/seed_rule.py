"""CHEN's pseudo-labels (4.4.1): sparse seeds, certain background, and 255 where neither is known."""

import numpy as np

from stages.common.crf_params import Crf
from stages.common.labels import seed_labels, upsample
from stages.pseudo_labels.params import SeedRule


def needs(params: SeedRule) -> set[str]:
    return set()


def labels(
    maps: np.ndarray,
    classes: np.ndarray,
    size: tuple[int, int],
    params: SeedRule,
    crf: Crf,
    picture: np.ndarray | None = None,
    affinity: dict[str, np.ndarray] | None = None,
) -> np.ndarray:
    """Labels uint8 [H, W] of signed `maps` [K, h', w'] (seeds.negatives: keep) at full size."""
    return seed_labels(upsample(maps, size), classes, params.k)
