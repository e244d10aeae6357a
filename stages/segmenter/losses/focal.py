"""Focal loss of the softmax (FGV "Focal"; CHEN 2.6): pixels that are right already weigh less.

The library's FocalLoss is of one sigmoid a class, which is another loss.
"""

import torch
from torch import Tensor

from stages.segmenter.class_balance import average, pixel_weights
from stages.segmenter.loss_params import Focal
from stages.segmenter.losses import Extra
from stages.segmenter.losses.cross_entropy import costs


def loss(scores: Tensor, labels: Tensor, options: Focal, extra: Extra) -> Tensor:
    """-1/N of the sum of w_y (1 - p_y)^gamma log p_y over the N known pixels."""
    nll = costs(scores, labels)
    # 1 - p without cancellation. At 0 the power has no finite slope for a gamma below 1.
    wrong = (-torch.expm1(-nll)).clamp_min(1e-12)
    weights = pixel_weights(labels, options.balance, extra.class_weights)
    return average(weights * wrong**options.gamma * nll, labels)
