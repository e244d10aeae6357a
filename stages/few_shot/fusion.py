"""Several supports at once, without another training (ZHANG 5.3.4): the cross-guided module."""

import torch
from torch import Tensor

from stages.common.artifacts import UNKNOWN


def usefulness(found: Tensor, masks: Tensor) -> Tensor:
    """How well each support finds the object in all supports, itself among them, [K] (Eq. 5.16).

    `found[i, k]` is where support i shows the object when k guides, bool [K, K, H, W]; masks int64 [K, H, W].
    """
    known, wanted = (masks != UNKNOWN)[:, None], (masks == 1)[:, None]
    both, either = ((pixels & known).sum((2, 3)) for pixels in (found & wanted, found | wanted))
    return (both / either.clamp(min=1)).mean(0)


def fused(scores: Tensor, weights: Tensor) -> Tensor:
    """Probabilities [2, h, w] of supports' scores [K, 2, h, w] (Eq. 5.17); all alike if none is of use."""
    weights = weights.to(scores.device) if weights.any() else scores.new_ones(len(scores))
    return torch.einsum("k,kchw->chw", weights, scores).div(len(weights)).softmax(0)
