"""Labels that follow the borders of regions: a region takes the label that covers more than half of it.

The rule of Chen et al., 2023 ("Segment Anything Model (SAM) Enhanced Pseudo Labels"), as its code has it
(cskyl/SAM_WSSS, merge/max_iou_imp2.py): a proposal goes to the class that covers more than half of it
(`share`), or of which it holds 85 % (`covers`). A class's pixels under proposals that went to none become
background, which is `rest: clear`; those under no proposal stay. Where proposals of several classes meet,
the higher index wins there; here the smaller region lies on top, as in masks that are drawn.
"""

from collections.abc import Sequence

import numpy as np

from stages.common.artifacts import UNKNOWN
from stages.pseudo_labels.params import Rule

STAYS = -1  # in place of the label of a region that takes none
VALUES = 256  # of uint8


def of_parts(labels: np.ndarray, parts: np.ndarray, rule: Rule) -> np.ndarray:
    """Labels uint8 [H, W], 255 unknown, after the regions of `parts`, int [H, W], each pixel's from 0 on."""
    pairs = parts.ravel() * VALUES + labels.ravel()
    counts = np.bincount(pairs, minlength=(int(parts.max()) + 1) * VALUES).reshape(-1, VALUES)
    takes = decided(counts, np.bincount(labels.ravel(), minlength=VALUES), rule)[parts]
    kept = cleared(labels, takes == STAYS) if rule.rest == "clear" else labels
    return np.where(takes == STAYS, kept, takes).astype(np.uint8)


def of_masks(labels: np.ndarray, masks: Sequence[np.ndarray], rule: Rule) -> np.ndarray:
    """Labels uint8 [H, W], 255 unknown, after regions bool [H, W] that may overlap and leave pixels bare.

    What each takes is settled by the labels as they came. Of regions that meet, the smaller lies on top, of
    equal ones the later.
    """
    if not len(masks):
        return labels.copy()
    counts = np.stack([np.bincount(labels[mask], minlength=VALUES) for mask in masks])
    takes = decided(counts, np.bincount(labels.ravel(), minlength=VALUES), rule)
    found = labels.copy()
    if rule.rest == "clear":
        for mask in (mask for mask, label in zip(masks, takes, strict=True) if label == STAYS):
            found = cleared(found, mask)
    for index in np.argsort(-counts.sum(1), kind="stable"):
        if takes[index] != STAYS:
            found[masks[index]] = takes[index]
    return found


def decided(counts: np.ndarray, totals: np.ndarray, rule: Rule) -> np.ndarray:
    """The label that each region takes, or STAYS, int [R], of the pixels of each value in it [R, 256].

    `totals` [256] are those of the picture. Unknown pixels do not count: a share is one of the known pixels,
    and a region without any takes nothing. Of several classes the one of most pixels wins, then the first.
    """
    known = counts[:, :UNKNOWN]
    shares = known / np.maximum(known.sum(1, keepdims=True), 1)
    classes = known[:, 1:]
    wins = shares[:, 1:] > rule.share
    if rule.covers is not None:
        wins |= classes / np.maximum(totals[1:UNKNOWN], 1) >= rule.covers
    label = 1 + np.where(wins, classes, 0).argmax(1)
    ground = np.where((rule.rest == "vote") & (shares[:, 0] > rule.share), 0, STAYS)
    return np.where(wins.any(1), label, ground)


def cleared(labels: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The classes' pixels in `where`, bool [H, W], as background; unknown ones stay."""
    return np.where(where & (labels != UNKNOWN), 0, labels)
