"""Whether a layer cuts the network: whether all that decides the scores passes through it."""

import torch
from torch import Tensor

from stages.classifier.network import ClassifierNet
from stages.seeds.layers import INPUT, LAST, with_layer

CLOSE = 1e-4  # of the features' difference: a cut leaves none at all


def require_cut(model: ClassifierNet, layer: str, pictures: Tensor) -> None:
    """ValueError where something passes `layer` by, with the block to name instead.

    Contributions at a layer beside a skip omit what the skip carries. `pictures` [2, 3, H, W] differ.
    """
    share = passing_by(model, layer, pictures)
    if share > CLOSE:
        raise ValueError(
            f"seeds.layer {layer}: a skip passes it by, with {share:.2g} of what decides the scores, so its "
            f"maps would omit that: take {around(model, layer, pictures)}"
        )


@torch.no_grad()
def passing_by(model: ClassifierNet, layer: str, pictures: Tensor) -> float:
    """How far A with the layer's values of B is from the last features of B; 1 is as far as A itself.

    A, B = pictures. 0 at a cut. ValueError for a layer that has no feature map, or does not run once.
    """
    if layer in (INPUT, LAST):
        return 0.0
    wanted = model.features(pictures)
    # both rows get the values of B, the second picture
    found = with_layer(model, pictures, layer, lambda values: values[1:].repeat(2, 1, 1, 1))
    way = (wanted[0] - wanted[1]).norm()
    return float((found[0] - found[1]).norm() / way) if way > 0 else 0.0


def around(model: ClassifierNet, layer: str, pictures: Tensor) -> str:
    """The smallest block that holds the layer and is a cut, or last."""
    while "." in layer:
        layer = layer.rpartition(".")[0]
        try:
            if passing_by(model, layer, pictures) <= CLOSE:
                return f"the whole block {layer}"
        except ValueError:  # a block of several outputs, or that is never called itself
            continue
    return LAST
