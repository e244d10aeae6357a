"""The gradient of the score by the pixels (DAVID Eq. 2), its largest size of the three colours.

The slide leaves open what becomes of the colours; Simonyan et al. (2014) take the largest.
"""

import torch
from torch import Tensor

from stages.classifier.network import ClassifierNet
from stages.common.params import Empty
from stages.seeds.layers import gradients, stored, values_and_scores


def attribution(
    model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str, options: Empty | None = None
) -> Tensor:
    """Maps >= 0 [B, K, h, w] of the classes [B, K] (0-based), averaged to cells of the encoder's stride.

    `layer` is always input. The score is a mean over cells, so a slope shrinks with their number: maps are
    multiplied by the number of pixels, and those of two scales weigh alike.
    """
    with torch.enable_grad():
        values, scores = values_and_scores(model, pictures, layer)
        parts = [slope.abs().amax(1) for slope in gradients(values, scores, classes)]
    return stored(model, torch.stack(parts, 1) * values[0, 0].numel(), layer)
