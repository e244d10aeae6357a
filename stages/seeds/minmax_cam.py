"""MinMax-CAM (DAVID, "MinMax-CAM Contributions"): CAM less the mean CAM of the picture's other classes.

The slide omits the features that the weights w_c - 1 / (n - 1) sum_m w_m are multiplied by.
"""

from torch import Tensor

from stages.classifier.network import ClassifierNet
from stages.common.params import Empty
from stages.seeds.contrast import contrasted
from stages.seeds.layers import head_maps


def attribution(
    model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str, options: Empty | None = None
) -> Tensor:
    """Signed maps [B, K, h, w] of the classes [B, K] (0-based); the maps of a picture's classes sum to 0.

    `layer` is always last. With a single class it is CAM.
    """
    return contrasted(head_maps(model, pictures, classes), classes)
