"""MinMax-Grad-CAM (DAVID, "MinMax-CAM Contributions"): Grad-CAM of a score less the mean of the others'.

The gradient of J_c = S_c - 1 / (n - 1) sum_m S_m is the same combination of the scores' gradients, so it is
one of Grad-CAM's signed maps: before any ReLU.
"""

from torch import Tensor

from stages.classifier.network import ClassifierNet
from stages.common.params import Empty
from stages.seeds import grad_cam
from stages.seeds.contrast import contrasted


def attribution(
    model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str, options: Empty | None = None
) -> Tensor:
    """Signed maps [B, K, h, w] of the classes [B, K] (0-based) at `layer`; at the last one MinMax-CAM.

    With a single class it is Grad-CAM. No backward pass is run at the last layer.
    """
    return contrasted(grad_cam.attribution(model, pictures, classes, layer), classes)
