"""How maps of results and of labels are compared without what is unknown."""

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.common.artifacts import UNKNOWN


def onehot(labels: Tensor, classes: int) -> Tensor:
    """Of labels [B, H, W], float32 [B, C, H, W]; 0 in all classes where it is unknown."""
    return (labels[:, None] == torch.arange(classes, device=labels.device)[:, None, None]).float()


def unlike(difference: Tensor, labels: Tensor, reach: int) -> Tensor:
    """Mean of |difference| [B, K, H, W], over channels and the pixels with no unknown one within `reach`."""
    sure = ~near_unknown(labels, reach)
    return (difference.abs().mean(1) * sure).sum() / sure.sum().clamp_min(1)


def near_unknown(labels: Tensor, reach: int) -> Tensor:
    """Whether one of the pixels within `reach` (a square's) is unknown, bool [B, H, W]."""
    unknown = (labels == UNKNOWN).float()[:, None]
    return F.max_pool2d(unknown, 2 * reach + 1, 1, reach)[:, 0] > 0
