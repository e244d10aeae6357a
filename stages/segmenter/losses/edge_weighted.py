"""Cross-entropy that weighs pixels by their distance to edges (CHEN 3.1, after three papers)."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from stages.common.artifacts import UNKNOWN
from stages.common.training.batches import Samples
from stages.common.training.strategy import Batch
from stages.segmenter.class_balance import average, pixel_weights
from stages.segmenter.edges import distance, known_edges
from stages.segmenter.loss_params import EdgeWeighted
from stages.segmenter.losses import Extra
from stages.segmenter.losses.cross_entropy import costs

REACH = 6  # sigmas from an object, where exp(-x^2 / 2) is below a float32's last digit of 1


def loss(scores: Tensor, labels: Tensor, options: EdgeWeighted, extra: Extra) -> Tensor:
    """-1/N of the sum of w_ij log p_y over the N known pixels.

    w is the class's weight times the map of the pixels, or, of form unet, plus it (CHEN's copy of that
    equation lost the class's weight, without which the inner parts of objects would weigh nothing).
    """
    assert extra.pixels is not None  # `samples` gives them
    classes = pixel_weights(labels, options.balance, extra.class_weights)
    weights = classes + extra.pixels if options.form == "unet" else classes * extra.pixels
    return average(weights * costs(scores, labels), labels)


def weight_map(labels: np.ndarray, options: EdgeWeighted) -> np.ndarray:
    """What the pixels of labels uint8 [H, W] weigh by their place, float32 [H, W].

    caliva: 1 + 1/(d + 1), with d = 0 on an edge (CHEN's is infinite there). bands: the weight of the first
    radius that d does not exceed, 1 beyond the last. unet: w0 exp(-(d1 + d2)^2 / 2 sigma^2) with the
    distances to the two nearest objects, 0 in an object (Ronneberger et al., 2015); to be added to 1.
    """
    if options.form == "unet":
        first, second = two_nearest(labels, int(np.ceil(REACH * options.sigma)))
        return (options.w0 * np.exp(-((first + second) ** 2) / (2 * options.sigma**2))).astype(np.float32)
    d = distance(known_edges(labels) == 1)
    if options.form == "caliva":
        return 1 + 1 / (d + 1)
    found = np.ones_like(d)
    for radius, weight in reversed(options.bands):
        found[d <= radius] = weight
    return found


def two_nearest(labels: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest and the second nearest object, float32 [H, W]; inf beyond `reach` pixels.

    An object is a connected piece (of eight neighbours) of one class; the background is none.
    """
    first = np.full(labels.shape, np.inf, np.float32)
    second = first.copy()
    for label in np.unique(labels):
        if label in (0, UNKNOWN):
            continue
        number, pieces, boxes, _ = cv2.connectedComponentsWithStats((labels == label).astype(np.uint8))
        for piece in range(1, number):
            left, top, width, height = boxes[piece, :4]
            near = (
                slice(max(0, top - reach), top + height + reach),
                slice(max(0, left - reach), left + width + reach),
            )
            d = distance(pieces[near] == piece)
            second[near] = np.minimum(second[near], np.maximum(first[near], d))
            first[near] = np.minimum(first[near], d)
    return first, second


@dataclass(frozen=True)
class WeightedSamples:
    """Samples of (picture, labels, what they hold besides), with the weights of each view's pixels third."""

    of: Samples
    options: EdgeWeighted

    def __len__(self) -> int:
        return len(self.of)

    def sample(self, index: int, rng: np.random.Generator) -> Batch:
        picture, labels, *others = self.of.sample(index, rng)
        weights = weight_map(labels.numpy().astype(np.uint8), self.options)
        return picture, labels, torch.from_numpy(weights), *others


samples = WeightedSamples
