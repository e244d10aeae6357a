"""D-MinMax-Grad-CAM (DAVID, "MinMax-CAM Contributions"): positive slopes of a class, less what others share.

weight_k = sum_ij [ReLU(g_c) - 1 / (n - 1) ReLU(sum_{m != c} g_m) + 1 / n min(0, sum_m g_m)] with
g_c = dS_c / dA_k,ij: the ReLU is of the sum over the other classes, as the slide has it, and at every place.
"""

import torch
from torch import Tensor

from stages.classifier.network import ClassifierNet
from stages.common.params import Empty
from stages.seeds.layers import LAST, gradients, head_values, real, values_and_scores


def attribution(
    model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str, options: Empty | None = None
) -> Tensor:
    """Signed maps [B, K, h, w] of the classes [B, K] (0-based) at `layer`.

    The ReLU of the map is the step's `negatives: drop`. With a single class it is Grad-CAM. Before the
    head a gradient is the head's row over the number of cells, and no backward pass is run.
    """
    own = real(classes)
    if layer == LAST:
        with torch.inference_mode():
            values, rows = head_values(model, pictures, classes)
            weights = contributions(rows[..., None, None], own)
            return torch.einsum("bkd,bdhw->bkhw", weights, values)
    with torch.enable_grad():
        values, scores = values_and_scores(model, pictures, layer)
        slopes = torch.stack(list(gradients(values, scores, classes)), 1)
    return torch.einsum("bkd,bdhw->bkhw", contributions(slopes, own), values.detach())


def contributions(slopes: Tensor, own: Tensor) -> Tensor:
    """Weights [B, K, D] from gradients [B, K, D, h, w]; `own` [B, K] says which classes count."""
    slopes = slopes * own[:, :, None, None, None]
    count = own.sum(1)[:, None, None, None, None]
    together = slopes.sum(1, keepdim=True)
    others = (together - slopes).relu() / (count - 1).clamp_min(1)
    return (slopes.relu() - others + together.clamp_max(0) / count).sum((3, 4))
