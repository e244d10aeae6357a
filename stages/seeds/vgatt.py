"""VGatt (CHEN 4.3.2, Eq. 4.9 and 4.13): gradient times value, summed over channels."""

import torch
from torch import Tensor

from stages.classifier.network import ClassifierNet
from stages.seeds.layers import LAST, gradients, head_maps, values_and_scores


def attribution(model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str) -> Tensor:
    """Contributions [B, K, h, w] of each place of `layer` to the scores of the classes [B, K].

    At the last layer the gradient is the head's weight over h * w (CAM is the special case that
    CHEN names after Eq. 4.13), so no backward pass is run.
    """
    if layer == LAST:
        maps = head_maps(model, pictures, classes)
        return maps / maps[0, 0].numel()
    with torch.enable_grad():
        values, scores = values_and_scores(model, pictures, layer)
        parts = [(gradient * values).sum(1) for gradient in gradients(values, scores, classes)]
    return torch.stack(parts, 1).detach()


def bias(model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str) -> Tensor:
    """The bias term [B, K] (CHEN Eq. 4.12) of the affine function that the network is above `layer`."""
    with torch.no_grad():
        scores = model(pictures).gather(1, classes)
    return scores - attribution(model, pictures, classes, layer).sum((2, 3))
