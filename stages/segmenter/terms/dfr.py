"""Dynamic feature regularised loss (ZHANG, chapter 4): as gated CRF, but with a kernel of learned features.

A head on the map that the network makes its scores of learns features that are near for what the network
itself surely labels alike. It is there while the network trains, and is not kept.
"""

import functools

import torch
from torch import Tensor, nn

from stages.common.artifacts import UNKNOWN
from stages.common.pairs import (
    affinity_loss,
    both,
    disagreement,
    distances,
    gaussian,
    gaussian_of,
    pair_kinds,
    per_cell,
    square_offsets,
)
from stages.common.training.params import Encoder
from stages.common.training.strategy import Losses
from stages.segmenter.cells import cells_of
from stages.segmenter.loss_params import Dfr
from stages.segmenter.terms import Task, Term, View


def build(options: Dfr, task: Task) -> Term:
    loss_of = functools.partial(loss, options, task.params.encoder)
    return Term(loss_of, head=functools.partial(consistency_head, options.channels))


def consistency_head(channels: int, inputs: int) -> nn.Module:
    """Features [B, channels, h, w] of the shared map [B, inputs, h, w] (ZHANG 4.3.2)."""
    return nn.Sequential(nn.Conv2d(inputs, channels, 1), nn.ReLU())


def loss(options: Dfr, encoder: Encoder, view: View) -> Losses:
    """weight L_dfr + feature_weight (L_fd + L_fr) (ZHANG 4.1); `pairs`, `fd` and `fr` tell its three shares.

    L_dfr moves the scores alone, L_fd and L_fr the features alone, and with them the map that both are of.
    L_fr is of all pairs: 4.12 has those of R_A, whose labels it is to do without; 3.12 has all.
    """
    assert view.features is not None  # of the head
    features, offsets = view.features, square_offsets(options.radius)
    cells = cells_of(view, view.scores.shape[2] // features.shape[2], encoder)
    together = both(cells.inside, offsets)
    static = gaussian(cells.rgb, offsets, options.sigma_xy, options.sigma_rgb) * together
    apart, squared = distances(features, offsets)
    kernel = static * gaussian_of(squared, options.sigma_features)
    pairs = per_cell(disagreement(cells.probabilities, kernel, offsets), cells.inside)
    labels = confident(cells.probabilities, options.confidence)
    fd = affinity_loss(torch.exp(-apart), pair_kinds(labels, offsets, together))["loss"]
    fr = per_cell((static * apart).sum(), cells.inside)
    shares = {
        "pairs": options.weight * pairs,
        "fd": options.feature_weight * fd,
        "fr": options.feature_weight * fr,
    }
    return {"dfr": shares["pairs"] + shares["fd"] + shares["fr"], **shares}


def confident(probabilities: Tensor, above: float) -> Tensor:
    """The likeliest class [B, h, w] where its probability is above, else 255 (ZHANG 4.7)."""
    top, labels = probabilities.max(1)
    return torch.where(top > above, labels, UNKNOWN)
