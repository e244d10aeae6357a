"""VGatt (CHEN 4.3.2, Eq. 4.9 and 4.13): gradient times value, summed over channels."""

import torch
from torch import Tensor

from stages.classifier.network import ClassifierNet
from stages.common.params import Empty
from stages.seeds import bias as biases
from stages.seeds.layers import LAST, gradients, head_maps, stored, values_and_scores


def attribution(
    model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str, options: Empty | None = None
) -> Tensor:
    """Contributions [B, K, h, w] of each place of `layer` to the scores of the classes [B, K].

    They are multiplied by the number of places, as CAM is: their mean and the bias give the score, at
    every scale. At the last layer they are CAM (the special case that CHEN names after Eq. 4.13), so no
    backward pass is run.
    """
    if layer == LAST:
        return head_maps(model, pictures, classes)
    with torch.enable_grad():
        values, scores = values_and_scores(model, pictures, layer)
        parts = [(gradient * values).sum(1) for gradient in gradients(values, scores, classes)]
    return stored(model, torch.stack(parts, 1).detach() * values[0, 0].numel(), layer)


def bias(model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str) -> Tensor:
    """The bias term [B, K] (CHEN Eq. 4.12) of the affine function that the network is above `layer`."""
    with torch.no_grad():
        scores = model(pictures).gather(1, classes)
    return scores - attribution(model, pictures, classes, layer).mean((2, 3))


def remark(model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str) -> str:
    """Where the theory does not hold: the network is not piece-wise affine above `layer`; "" where it is."""
    if layer == LAST:
        return ""
    scores, left = model(pictures).gather(1, classes).detach(), bias(model, pictures, classes, layer)
    return biases.remark(biases.bias_of_parameters(model, pictures, classes, layer), left, scores, layer)
