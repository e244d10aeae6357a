"""Labels of boxes, and what of them the seeds confirm (ZHANG 3.2, 3.3.2); two labels as one (3.6.1)."""

from typing import NamedTuple

import numpy as np

from stages.common.annotations import Box
from stages.common.artifacts import UNKNOWN


class Boxed(NamedTuple):
    """What the boxes of a picture say of its pixels."""

    labels: np.ndarray  # M_B (ZHANG 3.3), uint8 [H, W]: 0 outside of all boxes; in one its object, else 255
    alone: np.ndarray  # bool [H, W]: the object of a box whose class the seeds do not have in it


def area_of(box: Box) -> tuple[slice, slice]:
    """The rows and columns of a box."""
    return slice(box.top, box.bottom), slice(box.left, box.right)


def largest_first(boxes: list[Box]) -> list[Box]:
    """In the order of painting: a small object lies on top of a large one. Equal areas by their number."""
    return sorted(boxes, key=lambda b: ((b.left - b.right) * (b.bottom - b.top), b.object))


def painted(boxes: list[Box], objects: list[np.ndarray], full: np.ndarray) -> Boxed:
    """Of boxes in the order of painting; their objects, bool [H, W] each; and M_I, uint8 [H, W].

    No pixel in a box is background: an object that was not found may be there.
    """
    labels = np.zeros(full.shape, np.uint8)
    for box in boxes:
        labels[area_of(box)] = UNKNOWN
    alone = np.zeros(full.shape, bool)
    for box, found in zip(boxes, objects, strict=True):
        labels[found] = box.label
        alone[found] = box.label not in full[area_of(box)]
    return Boxed(labels, alone)


def merged(boxed: Boxed, sure: np.ndarray) -> np.ndarray:
    """M_g, uint8 [H, W]: M_B where M'_I, which is `sure`, says the same, or where it has to stand alone.

    Background outside of all boxes, 255 where neither holds. This is how we read ZHANG's text: Eq. 3.5 as it
    is printed keeps all of Eq. 3.4 but where the objects of two boxes overlap, and its code is not public.
    """
    kept = (boxed.labels == 0) | (boxed.labels == sure) | boxed.alone
    return np.where(kept, boxed.labels, UNKNOWN)


def first_known(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The first labels where they are known, else the second, uint8 [H, W] (ZHANG 3.6.1)."""
    return np.where(first == UNKNOWN, second, first)
