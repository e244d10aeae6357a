"""How unsure a network is at each pixel (CHEN 3.4.6)."""

import numpy as np


def entropy(chances: np.ndarray) -> np.ndarray:
    """-sum p log p of probabilities [C, ...], as a share of log C: 0 sure, 1 all alike."""
    parts = chances * np.log(np.maximum(chances, np.finfo(np.float32).tiny))
    return -parts.sum(0) / np.log(len(chances))


def as_bytes(unsure: np.ndarray) -> np.ndarray:
    """Shares 0..1 as uint8, rounded: 255 is 1."""
    return np.rint(255 * np.clip(unsure, 0, 1)).astype(np.uint8)
