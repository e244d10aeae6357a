"""AffinityNet, trained on confident labels (DAVID, "Pixel Semantic Affinity"): its training and its maps."""

import functools
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from stages.affinity import regularised
from stages.affinity.labels import grid_labels
from stages.affinity.network import AffinityNet, affinities, build_affinity_net
from stages.affinity.offsets import offset_list
from stages.affinity.params import Affinity
from stages.common.networks.store import History
from stages.common.pairs import Offsets, affinity_loss, pair_kinds
from stages.common.pictures import Picture
from stages.common.training.loop import fit
from stages.common.training.samples import MaskedSamples, PlacedSamples
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, one

Term = Callable[[Tensor, Tensor, Tensor], Tensor]  # of features, pictures, and where they are inside


def maps(network: AffinityNet, pictures: Tensor, params: Affinity, offsets: Offsets) -> dict[str, Tensor]:
    """Affinities [B, P, h, w] of normalised pictures [B, 3, H, W], a cell for each `grid_stride` pixels."""
    return {"maps": affinities(network(pictures), offsets)[0]}


def trained(
    params: Affinity, train: list[Picture], classes: int, labels: Path, key: str
) -> tuple[AffinityNet, History]:
    """A network that learnt the pictures' masks labels/ID.png, and its curve; `key` names its checkpoints."""
    torch.manual_seed(params.seed)
    model = build_affinity_net(params.encoder, params.levels, params.channels, params.grid_stride)
    term = colour_term(params)
    loss = functools.partial(batch_loss, offset_list(params.radius), params.grid_stride, classes, term=term)
    labelled = MaskedSamples(train, params, labels)
    samples = PlacedSamples(labelled) if term else labelled
    return model, fit("affinity", one(model, loss), samples, params, key)


def batch_loss(
    offsets: Offsets,
    cell: int,
    classes: int,
    called: Networks,
    batch: Batch,
    _: float,
    term: Term | None = None,
) -> Losses:
    """What the labels say of the pairs, and with a term what colours say; `batch` then ends with `inside`."""
    pictures, labels = batch[:2]
    features = called[MAIN](pictures)
    values, inside = affinities(features, offsets)
    losses = affinity_loss(values, pair_kinds(grid_labels(labels, cell, classes), offsets, inside))
    if term is None:
        return losses
    share = term(features, pictures, batch[2])
    return losses | {"loss": losses["loss"] + share, "regularised": share}


def colour_term(params: Affinity) -> Term | None:
    """The term of `regularised`, if it weighs anything."""
    if not params.regularised.weight:
        return None
    return functools.partial(
        regularised.loss, cell=params.grid_stride, options=params.regularised, encoder=params.encoder
    )
