"""CAM (ZHANG Eq. 2.1; CHEN Eq. 4.2-4.3): the head's weights times the last features."""

import torch
from torch import Tensor

from stages.classifier.network import ClassifierNet


@torch.inference_mode()
def attribution(model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str) -> Tensor:
    """Signed maps [B, K, h, w] of the classes [B, K] (0-based) of pictures [B, 3, H, W].

    Only the rows of the present classes are multiplied. `layer` is always last.
    """
    features = model.features(pictures)
    rows = model.head.weight.flatten(1)[classes]  # [B, K, D]
    return torch.einsum("bdhw,bkd->bkhw", features, rows.to(features.dtype))
