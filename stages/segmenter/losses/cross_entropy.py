"""Pixel-wise cross-entropy."""

from torch import Tensor
from torch.nn import functional as F

from stages.common.artifacts import UNKNOWN
from stages.common.params import Empty


def loss(scores: Tensor, labels: Tensor, options: Empty | None = None) -> Tensor:
    """The mean of -log p_y over the known pixels, float32, of scores [B, C, H, W] and labels [B, H, W].

    Pixels labelled 255 never count; a batch of nothing else costs 0.
    """
    total = F.cross_entropy(scores.float(), labels, ignore_index=UNKNOWN, reduction="sum")
    return total / (labels != UNKNOWN).sum().clamp_min(1)
