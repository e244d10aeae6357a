"""Attention of every cell of a feature map to every other one, plain or re-weighted (R-FAM)."""

import torch
from torch import Tensor


def attended(f1: Tensor, f2: Tensor, f3: Tensor, reweighted: bool) -> Tensor:
    """F_a [B, D, h, w] of F1, F2, F3 [B, D, h, w]: (softmax(A) w) F3 with A = F1 F2^T (ZHANG Eq. 2.8, 2.11).

    `reweighted`: w is `coefficients`, without a gradient; else 1, as in the published code. Eq. 2.11 does not
    divide its rows by their sums again.
    """
    a, b, c = (features.flatten(2) for features in (f1, f2, f3))
    affinity = a.transpose(1, 2) @ b
    share = affinity.softmax(2)
    if reweighted:
        share = share * coefficients(affinity)
    return (c @ share.transpose(1, 2)).unflatten(2, f3.shape[2:])


def coefficients(affinity: Tensor) -> Tensor:
    """w of affinities [..., N, N], of which each row is one cell's (ZHANG Eq. 2.9-2.10, as it is printed).

    With e the rank in the row from 1, the highest first, and N+ how many are positive (1 at least): e / N+
    where positive, else sqrt(|N+ - e| / N+), which is above 1 for the lowest where N > 2 N+. Of equal values
    the first has the lower rank. In float32: ranks above 256 are no numbers of bf16.
    """
    affinity = affinity.float()
    order = affinity.argsort(dim=-1, descending=True, stable=True)
    ranks = torch.arange(1, affinity.shape[-1] + 1, device=affinity.device, dtype=affinity.dtype)
    e = torch.empty_like(affinity).scatter_(-1, order, ranks.expand_as(affinity))
    positive = affinity > 0
    number = positive.sum(-1, keepdim=True).clamp_min(1).to(affinity.dtype)
    return torch.where(positive, e / number, ((number - e).abs() / number).sqrt())
