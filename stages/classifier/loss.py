"""The loss of every classifier: multi-label soft margin, with smoothed targets where that is asked for."""

from torch import Tensor
from torch.nn import functional as F


def soft_margin(scores: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Multi-label soft-margin loss (ZHANG Eq. 2.14), a mean over pictures and classes.

    Of scores [B, C] (logits) and targets [B, C] in 0/1. With smoothing a the targets are
    (1 - a) y + a / 2 (DAVID, "P-NOC", label smoothing): the best score is then +-ln((2 - a) / a).
    """
    return soft_margins(scores, targets, smoothing).mean()


def soft_margins(scores: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """The same of each picture, [B]: a mean over its classes."""
    smoothed = (1 - smoothing) * targets + smoothing / 2
    return F.multilabel_soft_margin_loss(scores, smoothed, reduction="none")
