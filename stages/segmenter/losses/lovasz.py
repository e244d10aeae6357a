"""Lovasz-softmax (Berman et al., 2018; CHEN 2.4): a convex surrogate of the mean IoU. The library's."""

from segmentation_models_pytorch.losses import LovaszLoss
from torch import Tensor

from stages.common.artifacts import UNKNOWN
from stages.segmenter.loss_params import Lovasz
from stages.segmenter.losses import Extra
from stages.segmenter.losses.cross_entropy import plain

SURROGATE = LovaszLoss("multiclass", ignore_index=UNKNOWN)


def loss(scores: Tensor, labels: Tensor, options: Lovasz, extra: Extra) -> Tensor:
    """Over the classes that the known pixels of the batch hold, and `ce` times the cross-entropy."""
    ce = options.ce * plain(scores, labels)
    if not (labels != UNKNOWN).any():  # of nothing the library gives no scalar
        return ce + 0 * scores.float().sum()
    surrogate: Tensor = SURROGATE(scores.float(), labels)
    return surrogate + ce
