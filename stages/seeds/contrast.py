"""What the MinMax methods share: a class against the mean of a picture's other classes."""

import torch
from torch import Tensor

from stages.seeds.layers import real


def contrasted(maps: Tensor, classes: Tensor) -> Tensor:
    """L_c - 1 / (n - 1) sum_m L_m, m the other classes of its picture (DAVID, "MinMax-CAM Contributions").

    `maps` [B, K, h, w] are signed; `classes` [B, K]; repeats that fill a row up do not count. A map
    stays as it is where n = 1.
    """
    return torch.einsum("bkm,bmhw->bkhw", coefficients(classes).to(maps.dtype), maps)


def coefficients(classes: Tensor) -> Tensor:
    """[B, K, K]: of each class (row) what each class (column) counts; 1 for itself."""
    own = real(classes)
    itself = torch.eye(classes.shape[1], device=classes.device)
    others = own[:, None, :] * (1 - itself)
    return itself - others / others.sum(2, keepdim=True).clamp_min(1)
