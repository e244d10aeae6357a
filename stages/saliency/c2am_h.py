"""C2AM-H (slide "C2AM-H"): C2AM, and a hint of the seeds where these are sure of an object."""

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.common.artifacts import UNKNOWN
from stages.common.pictures import Picture
from stages.common.training.strategy import MAIN, Batch, Losses, Networks
from stages.saliency import contrast, trained
from stages.saliency.network import on_cells
from stages.saliency.params import C2amH, Saliency

HINTED = True  # the training looks at the seeds
TARGET = 0.95  # of the share of a sure cell


def save(params: Saliency, train: list[Picture]) -> str:
    return trained.save("c2am_h", params, train)


def loss(options: C2amH, networks: Networks, batch: Batch, _: float) -> Losses:
    """Of pictures [B, 3, H, W] and masks [B, H, W]: 1 where the seeds are sure, 255 outside the picture."""
    pictures, masks = batch
    known = masks != UNKNOWN
    features, values = networks[MAIN](pictures, known)
    cells = on_cells(known, values.shape[1:])
    parts = contrast.losses(features, values, cells)
    told = hint(values, on_cells(masks == 1, values.shape[1:]) & cells)
    return {**parts, "loss": parts["loss"] + options.weight * told, "hint": told}


def hint(values: Tensor, sure: Tensor) -> Tensor:
    """BCE of z [B, h, w] and TARGET, the mean over the sure cells (bool); 0 where a batch has none.

    The slide has a sum, which would grow with the batch and the grid; the published code takes the mean,
    which is NaN without a cell.
    """
    apart = F.binary_cross_entropy_with_logits(values, torch.full_like(values, TARGET), reduction="none")
    return (apart * sure).sum() / sure.sum().clamp_min(1)
