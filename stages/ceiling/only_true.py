"""Oracle "Only True" (CHEN 4.4.2): the labels without what is wrong in them."""

import numpy as np

from stages.common.artifacts import UNKNOWN


def correct(truth: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels uint8 [H, W] where they are the truth's, unknown (255) elsewhere."""
    return np.where(labels == truth, labels, UNKNOWN).astype(np.uint8)
