"""FullGrad (DAVID Eq. 3): what the pixels and each bias of the network give to the score, by place.

The slide leaves psi open; this is the authors' (Srinivas and Fleuret, 2019): a part's size, min-max over its
channels and places.
"""

import torch
from torch import Tensor

from stages.classifier.network import ClassifierNet
from stages.common.params import Empty
from stages.seeds.affine import require_affine
from stages.seeds.bias import fields
from stages.seeds.grid import Follow, followed, marked
from stages.seeds.layers import stored
from stages.seeds.multi_scale import reading


def attribution(
    model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str, options: Empty | None = None
) -> Tensor:
    """Maps >= 0 [B, K, h, w] of the classes [B, K] (0-based), averaged to cells of the encoder's stride.

    `layer` is always input. A part is 1 at its largest, so scales weigh alike as they are.
    """
    size = (pictures.shape[2], pictures.shape[3])
    with Follow():  # so that every part knows where its cells lie
        parts = fields(model, marked(pictures), classes, layer)
        maps = [sum_of([at_pixels(*part, size) for part in of_class]) for of_class in parts]
    return stored(model, torch.stack(maps, 1), layer)


def remark(model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str) -> str:
    """ValueError for a network that is not piece-wise affine: its biases do not complete the score."""
    require_affine(model, pictures)
    return ""


def at_pixels(place: Tensor, part: Tensor, size: tuple[int, int]) -> Tensor:
    """What a part [B, C, h, w] of the score adds to the map [B, H, W]; `place` knows the part's grid."""
    grid = followed(place, size[1])
    shown = psi(part).sum(1)
    rows = reading(size[0], size[0], part.shape[2], grid).to(shown)
    columns = reading(size[1], size[1], part.shape[3], grid).to(shown)
    return rows @ shown @ columns.T


def psi(part: Tensor) -> Tensor:
    """Its size, min-max over all channels and places of a picture; 0 where it is constant."""
    found = part.abs()
    low, top = found.amin((1, 2, 3), keepdim=True), found.amax((1, 2, 3), keepdim=True)
    return (found - low) / (top - low).clamp_min(torch.finfo(found.dtype).tiny)


def sum_of(maps: list[Tensor]) -> Tensor:
    return torch.stack(maps).sum(0)
