"""Grad-CAM (CHEN Eq. 4.4; DAVID Eq. 5): channels weighted by their mean gradient."""

import torch
from torch import Tensor

from stages.classifier.network import ClassifierNet
from stages.seeds.layers import LAST, gradients, head_maps, values_and_scores


def attribution(model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str) -> Tensor:
    """Signed maps [B, K, h, w] of the classes [B, K] (0-based) at `layer`.

    The ReLU of Grad-CAM is the step's `negatives: drop`. Before the pooled linear head the
    gradient is the head's weight over h * w, so Grad-CAM is CAM up to that constant, and the
    normalised maps are equal: no backward pass is run.
    """
    if layer == LAST:
        return head_maps(model, pictures, classes)
    with torch.enable_grad():
        values, scores = values_and_scores(model, pictures, layer)
        maps = [
            (gradient.mean((2, 3), keepdim=True) * values).sum(1)
            for gradient in gradients(values, scores, classes)
        ]
    return torch.stack(maps, 1).detach()
