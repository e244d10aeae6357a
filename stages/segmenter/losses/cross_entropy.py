"""Pixel-wise cross-entropy (FGV "Cross Entropy", "Balanced"; CHEN 2.2, 2.3, 3.3)."""

from torch import Tensor
from torch.nn import functional as F

from stages.common.artifacts import UNKNOWN
from stages.segmenter.class_balance import average, pixel_weights
from stages.segmenter.loss_params import CrossEntropy
from stages.segmenter.losses import Extra


def loss(scores: Tensor, labels: Tensor, options: CrossEntropy, extra: Extra) -> Tensor:
    """-1/N of the sum of w_y log p_y over the N known pixels, w the weights of `balance`."""
    if options.balance == "none":
        return plain(scores, labels)
    weights = pixel_weights(labels, options.balance, extra.class_weights)
    return average(weights * costs(scores, labels), labels)


def plain(scores: Tensor, labels: Tensor) -> Tensor:
    """The mean of -log p_y over the known pixels of labels [B, H, W], of scores [B, C, H, W]."""
    total = F.cross_entropy(scores.float(), labels, ignore_index=UNKNOWN, reduction="sum")
    return total / (labels != UNKNOWN).sum().clamp_min(1)


def costs(scores: Tensor, labels: Tensor) -> Tensor:
    """-log p_y of each pixel, float32 [B, H, W], 0 where it is unknown."""
    return F.cross_entropy(scores.float(), labels, ignore_index=UNKNOWN, reduction="none")
