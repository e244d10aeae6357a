"""Reliable regions: labels where a network's own maps and a CRF can be trusted, 255 elsewhere (ZHANG 2.2.2).

Rules: `two_alphas`, which gave the published numbers (github.com/zbf1991/RRM), and the equality of Eq. 2.7,
which that code leaves out; `agreement`, Eq. 2.5-2.7 as they stand; `cam`, Eq. 2.6 alone, without a CRF.
"""

import math
from typing import NamedTuple

import numpy as np

from stages.common.artifacts import UNKNOWN
from stages.common.crf import infer, unary_from_scores
from stages.common.labels import alpha_scores, to_classes, upsample
from stages.common.reliable_params import OneAlpha, Reliable, TwoAlphas


class View(NamedTuple):
    """What a picture's labels are made of; it may be an augmented view, which reaches beyond the picture."""

    maps: np.ndarray  # [K, h, w], of the picture's classes, not normalised; negatives are none
    classes: np.ndarray  # [K], their indices from 1 on
    picture: np.ndarray  # RGB, uint8 [H, W, 3]
    inside: np.ndarray  # bool [H, W]: what is picture


def labels(view: View, params: Reliable) -> np.ndarray:
    """Class indices uint8 [H, W], 0 background, 255 not reliable. Outside of the picture all is 255.

    A map is brought to the picture's size and divided by its maximum inside (Eq. 2.3). A class that has no
    pixel by its map gets no label, and a picture without classes is all background.
    """
    found = np.full(view.inside.shape, UNKNOWN, np.uint8)
    if not view.inside.any():
        return found
    box = bounds(view.inside)
    maps = normalised(upsample(view.maps, view.inside.shape)[:, *box], view.inside[box])
    picture = np.ascontiguousarray(view.picture[box])
    positions = RULES[params.rule](maps, picture, view.inside[box], params)
    known = (positions != UNKNOWN) & view.inside[box]
    found[box] = np.where(known, to_classes(np.where(known, positions, 0), view.classes), UNKNOWN)
    return found


def bounds(inside: np.ndarray) -> tuple[slice, slice]:
    """The smallest rectangle that holds all that is True of bool [H, W]."""
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def normalised(maps: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Maps [K, H, W] in 0..1: ReLU, 0 outside, over the maximum of each; one without a positive stays 0."""
    maps = np.where(inside, np.maximum(maps, 0), 0)
    tops = maps.max((1, 2), keepdims=True, initial=0)
    return (maps / np.where(tops > 0, tops, 1)).astype(np.float32)


def two_alphas(maps: np.ndarray, picture: np.ndarray, inside: np.ndarray, params: Reliable) -> np.ndarray:
    """Positions in [background, *classes], uint8 [H, W].

    One lattice, two CRFs. A class is what wins in spite of much background, background what wins in spite of
    little; of both the probability must be high enough. The maps must name the same.
    """
    assert params.two_alphas is not None  # the schema sees to it
    own: TwoAlphas = params.two_alphas
    scores = alpha_scores(maps, own.alpha_background)
    cam = confident(scores, inside, params.share, params.floor)
    of_ground = scores.argmax(0) == 0
    cam[of_ground] = np.where(scores[0] > own.probability, 0, UNKNOWN)[of_ground]
    if not len(maps):
        return cam
    unaries = [unary_from_scores(alpha_scores(maps, own.alpha_foreground)), unary_from_scores(scores)]
    much, little = infer(picture, unaries, params.crf)
    return agreed(cam, combined(much, little, own.probability))


def combined(much: np.ndarray, little: np.ndarray, probability: float) -> np.ndarray:
    """Positions uint8 [H, W] of the probabilities [K + 1, H, W] with much and with little background."""
    classes = much.argmax(0)
    found = np.where(classes == 0, UNKNOWN, classes)
    found[little.argmax(0) == 0] = 0
    sure = np.maximum(little[0], much[1:].max(0)) >= probability
    return np.where(sure, found, UNKNOWN).astype(np.uint8)


def agreement(maps: np.ndarray, picture: np.ndarray, inside: np.ndarray, params: Reliable) -> np.ndarray:
    """As `two_alphas`, with one background for all, whose pixels are chosen as every other class's."""
    assert params.agreement is not None
    scores = alpha_scores(maps, params.agreement.alpha)
    found = confident(scores, inside, params.share, params.floor)
    if not len(maps):
        return found
    return agreed(found, infer(picture, [unary_from_scores(scores)], params.crf)[0].argmax(0))


def cam(maps: np.ndarray, picture: np.ndarray, inside: np.ndarray, params: Reliable) -> np.ndarray:
    """What the maps are sure of, whatever the picture shows."""
    own: OneAlpha | None = params.cam
    assert own is not None
    return confident(alpha_scores(maps, own.alpha), inside, params.share, params.floor)


def confident(scores: np.ndarray, inside: np.ndarray, share: float, floor: float) -> np.ndarray:
    """The best of scores [K + 1, H, W], uint8 [H, W], where it is sure of itself, else 255 (Eq. 2.6).

    Of the pixels that a class wins with more than `floor`, the `share` where it scores highest; of equal
    scores all or none.
    """
    best = scores.argmax(0)
    found = np.full(best.shape, UNKNOWN, np.uint8)
    for index, score in enumerate(scores):
        own = (best == index) & inside & (score > floor)
        if own.any():
            kept = math.ceil(round(share * own.sum(), 6))  # 0.9 of 10 are 9, whatever floats say
            level = np.sort(score[own])[-max(1, kept)]
            found[own & (score >= level)] = index
    return found


def agreed(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where both say the same, else 255 (Eq. 2.7)."""
    return np.where(one == other, one, UNKNOWN).astype(np.uint8)


RULES = {"two_alphas": two_alphas, "agreement": agreement, "cam": cam}
