"""Grad-CAM++ (DAVID Eq. 6): channels weighted by their positive gradients, where they are rare.

The slide takes the derivatives of the score, whose second and third are 0 behind ReLUs; the method's authors
(Chattopadhay et al., 2018) take those of Y = exp(S): d2Y = Y g^2 and d3Y = Y g^3 with g = dS/dA, and Y
cancels. It is left out of the weights too: a constant of a picture and a class.
"""

import torch
from torch import Tensor

from stages.classifier.network import ClassifierNet
from stages.common.params import Empty
from stages.seeds.layers import LAST, gradients, head_values, values_and_scores

TINY = 1e-6  # a layer before its ReLU may have a negative sum, and the denominator is 0 somewhere


def attribution(
    model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str, options: Empty | None = None
) -> Tensor:
    """Signed maps [B, K, h, w] of the classes [B, K] (0-based) at `layer`: sum_k weight_k A_k.

    Before the head a gradient is the head's row over the number of cells, and no backward pass is run.
    """
    if layer == LAST:
        with torch.inference_mode():
            values, rows = head_values(model, pictures, classes)
            weights = rows.relu() * alpha(rows * values.mean((2, 3))[:, None])
            return torch.einsum("bkd,bdhw->bkhw", weights, values)
    with torch.enable_grad():
        values, scores = values_and_scores(model, pictures, layer)
        parts = [of_class(values.detach(), slope) for slope in gradients(values, scores, classes)]
    return torch.stack(parts, 1)


def of_class(values: Tensor, slope: Tensor) -> Tensor:
    """The map [B, h, w] of values and their gradient, both [B, D, h, w]."""
    weights = slope.relu() * alpha(slope * values.sum((2, 3), keepdim=True))
    return (weights.sum((2, 3), keepdim=True) * values).sum(1)


def alpha(slope_times_sum: Tensor) -> Tensor:
    """g^2 / (2 g^2 + g^3 sum A), of g sum A: it is used where g > 0 alone."""
    return 1 / (2 + slope_times_sum).clamp_min(TINY)
