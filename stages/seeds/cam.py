"""CAM (ZHANG Eq. 2.1; CHEN Eq. 4.2-4.3): the head's weights times the last features."""

from torch import Tensor

from stages.classifier.network import ClassifierNet
from stages.common.params import Empty
from stages.seeds.layers import head_maps


def attribution(
    model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str, options: Empty | None = None
) -> Tensor:
    """Signed maps [B, K, h, w] of the classes [B, K] (0-based) of pictures [B, 3, H, W].

    `layer` is always last; their mean over the places is the score.
    """
    return head_maps(model, pictures, classes)
