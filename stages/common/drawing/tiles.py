"""The same pictures through every rung, small: which ones, and how they are drawn."""

import io
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from PIL import Image

from stages.common.drawing.sheet import choose as evenly_spaced
from stages.common.drawing.sheet import errors, overlay

SAMPLE, WORST, IMPROVED, DAMAGED = "sample", "worst", "most improved", "most damaged"
QUALITY = 80  # of WebP: edges of one pixel stay legible

Scores = Mapping[str, Sequence[float]]  # a picture's mIoU in percent at the rungs of its split, in order


def choose(ids: Sequence[str], scores: Scores, number: int, extremes: int) -> dict[str, list[str]]:
    """The ids to show, sorted, each with why: `number` evenly spaced ones and up to `extremes` of each kind.

    The worst are those at the last rung; improved and damaged is by the change from the first rung to it,
    so only pictures that did change so. A picture without a score can only be of the sample.
    """
    last = {name: values[-1] for name, values in scores.items()}
    change = {name: values[-1] - values[0] for name, values in scores.items()}
    kinds = {
        SAMPLE: evenly_spaced(ids, number),
        WORST: sorted(last, key=lambda name: (last[name], name))[:extremes],
        IMPROVED: sorted((n for n in change if change[n] > 0), key=lambda n: (-change[n], n))[:extremes],
        DAMAGED: sorted((n for n in change if change[n] < 0), key=lambda n: (change[n], n))[:extremes],
    }
    shown = sorted(set().union(*kinds.values()))
    return {name: [kind for kind, names in kinds.items() if name in names] for name in shown}


def tiles(
    picture: np.ndarray, truth: np.ndarray | None, results: Mapping[str, np.ndarray], side: int
) -> dict[str, bytes]:
    """WebP files by name: `picture`, `truth`, and of each result `NAME.labels` and `NAME.errors`; of one
    without a name `labels` and `errors`.

    `picture` is RGB uint8 [H, W, 3]; labels are uint8 [H, W]. The longest side becomes `side` pixels, or
    stays if it is shorter. Without a truth there are no errors.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    drawn = {"picture": small}
    seen = None if truth is None else _fit(truth, size)
    if seen is not None:
        drawn["truth"] = overlay(small, seen)
    for name, labels in results.items():
        fitted, dotted = _fit(labels, size), f"{name}." if name else ""
        drawn[f"{dotted}labels"] = overlay(small, fitted)
        if seen is not None:
            drawn[f"{dotted}errors"] = errors(small, seen, fitted)
    return {name: _webp(image) for name, image in drawn.items()}


def _fit(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)


def _webp(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", quality=QUALITY)
    return buffer.getvalue()
