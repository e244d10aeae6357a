"""The two rules that turn attribution maps into labels: threshold / alpha, and CHEN's seed rule.

Maps are [K, H, W], one for each class of the picture, max-normalised; `classes` holds their K
class indices. Everything that needs labels of maps uses these functions.
"""

import cv2
import numpy as np

from stages.common.artifacts import UNKNOWN


def upsample(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Maps [K, h, w] at `size` (height, width), float32 [K, H, W]: bilinear, half-pixel centres."""
    height, width = size
    large = np.empty((len(maps), height, width), np.float32)
    for source, target in zip(np.asarray(maps, np.float32), large, strict=True):
        target[:] = cv2.resize(source, (width, height), interpolation=cv2.INTER_LINEAR)
    return large


def to_classes(indices: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Positions in [background, *classes] as class indices, uint8, of the same shape."""
    return np.concatenate([[0], classes]).astype(np.uint8)[indices]


def threshold_labels(maps: np.ndarray, classes: np.ndarray, threshold: float) -> np.ndarray:
    """Argmax over [threshold, *maps], uint8 [H, W]; background wins a tie (PEERS 2.9)."""
    background = np.full((1, *maps.shape[1:]), threshold, np.float32)
    return to_classes(np.concatenate([background, maps]).argmax(0), classes)


def alpha_scores(maps: np.ndarray, alpha: float) -> np.ndarray:
    """[background, *maps], float32 [K + 1, H, W], the background being (1 - max)^alpha (PSA).

    Maps are clipped to 0..1: a negative contribution is no evidence of more background than none.
    """
    maps = np.clip(np.asarray(maps, np.float32), 0, 1)
    background = (1 - maps.max(0, initial=0)) ** alpha
    return np.concatenate([background[None], maps])


def alpha_labels(maps: np.ndarray, classes: np.ndarray, alpha: float) -> np.ndarray:
    """Argmax of `alpha_scores`, uint8 [H, W]: `threshold_labels` at `alpha_to_threshold(alpha)`."""
    return to_classes(alpha_scores(maps, alpha).argmax(0), classes)


def alpha_to_threshold(alpha: float) -> float:
    """The t with (1 - t)^alpha = t: (1 - m)^alpha beats m exactly where m < t (PEERS 0.3)."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 - middle) ** alpha > middle else (low, middle)
    return (low + high) / 2


def seed_labels(maps: np.ndarray, classes: np.ndarray, k: float) -> np.ndarray:
    """CHEN 4.4.1, steps 1 to 5, uint8 [H, W]; needs signed maps (seeds.negatives: keep).

    Seeds of a class are the pixels at `k` (a share) of its map's maximum or above, and positive.
    A seed of several classes goes to the one with the smallest seed area, the first where areas
    are equal; negative for all classes is background, the rest 255 (unknown).
    """
    maps = np.asarray(maps, np.float32)
    labels = np.where((maps < 0).all(0), 0, UNKNOWN).astype(np.uint8)
    peaks = maps.max((1, 2), keepdims=True, initial=0)
    seeds = (maps >= k * peaks) & (maps > 0)
    smallest_last = np.argsort(seeds.sum((1, 2)), kind="stable")[::-1]
    for index in smallest_last:
        labels[seeds[index]] = classes[index]
    return labels


def as_objects(labels: np.ndarray, label: int = 1) -> np.ndarray:
    """All classes as one, uint8 as `labels`: 0 stays, 255 stays, the rest is `label`."""
    return np.where((labels == 0) | (labels == UNKNOWN), labels, label).astype(np.uint8)
