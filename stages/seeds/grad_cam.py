"""Grad-CAM (CHEN Eq. 4.4; DAVID Eq. 5): channels weighted by their mean gradient."""

import torch
from torch import Tensor

from stages.classifier.network import ClassifierNet
from stages.common.params import Empty
from stages.seeds.layers import LAST, gradients, head_maps, stored, values_and_scores


def attribution(
    model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str, options: Empty | None = None
) -> Tensor:
    """Signed maps [B, K, h, w] of the classes [B, K] (0-based) at `layer`.

    The ReLU of Grad-CAM is the step's `negatives: drop`. Gradients of a pooled head shrink with the
    number of cells, so maps are multiplied by it: those of two scales weigh alike. Then Grad-CAM
    before the head is CAM, and no backward pass is run.
    """
    if layer == LAST:
        return head_maps(model, pictures, classes)
    with torch.enable_grad():
        values, scores = values_and_scores(model, pictures, layer)
        maps = [
            (gradient.sum((2, 3), keepdim=True) * values).sum(1)  # the mean times the cells
            for gradient in gradients(values, scores, classes)
        ]
    return stored(model, torch.stack(maps, 1).detach(), layer)
