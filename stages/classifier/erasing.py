"""What OC-CSE, P-OC and P-NOC erase: the place of one present class, by the classifier's own map."""

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.classifier.loss import soft_margins
from stages.common.training.strategy import Networks

ORDINARY = "ordinary"  # the name of the network that judges what is left
TINY = 1e-5  # of the maximum: a map without a positive place erases nothing


def map_of(maps: Tensor, chosen: Tensor, size: torch.Size) -> Tensor:
    """ReLU of the chosen class's map [B, C, h, w], bilinear at `size`: [B, 1, H, W], float32.

    `chosen` [B, C] has a 1 for the class, or none in a picture without any: then the map is 0. The
    slide leaves the order open: OC-CSE's, taken here, is up first, then ReLU.
    """
    one = torch.einsum("bchw,bc->bhw", maps.float(), chosen.float())[:, None]
    return F.interpolate(one, size, mode="bilinear", align_corners=False).relu()


def soft_mask(maps: Tensor, chosen: Tensor, size: torch.Size, normalise: str) -> Tensor:
    """M [B, 1, H, W] in 0..1: the chosen class's map over its maximum of the batch, or of each picture.

    The gradient passes through the maximum too, as published. Of several devices each takes its share.
    """
    positive = map_of(maps, chosen, size)
    top = positive.max() if normalise == "batch" else positive.amax((1, 2, 3), keepdim=True)
    return positive / (top + TINY)


def erased(pictures: Tensor, mask: Tensor) -> Tensor:
    """Pictures [B, 3, H, W] with the mean colour, 0, where the mask [B, 1, H, W] is 1."""
    return pictures * (1 - mask)


def suppression(
    smoothing: float, networks: Networks, left: Tensor, targets: Tensor, chosen: Tensor
) -> Tensor:
    """L_cse (DAVID, "OC-CSE"): in what is left, the ordinary classifier sees the other classes, not this.

    The mean over the pictures of which a class was erased; 0 without any. The sources know no others.
    """
    costs, own = soft_margins(networks[ORDINARY](left), targets - chosen, smoothing), chosen.sum(1) > 0
    return (costs * own).sum() / own.sum().clamp_min(1)


def ramp(span: list[float], done: float) -> float:
    """A weight that goes from span[0] to span[1] over the whole training."""
    return span[0] + (span[1] - span[0]) * done
