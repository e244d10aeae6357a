"""Score-CAM (DAVID Eq. 7): channels weighted by the score of the picture that they leave over.

A mask is a channel's map at the pixels, divided by its maximum (slide), or min-max (Wang et al., 2020). It
multiplies the normalised picture, so what it hides has the mean colour. The slide leaves open whether f is a
logit: here its sigmoid is the weight, or the logits' softmax over the channels (the authors' paper).
"""

import torch
from torch import Tensor

from stages.classifier.network import ClassifierNet
from stages.seeds.grid import grid_of
from stages.seeds.layers import values_at
from stages.seeds.multi_scale import reading
from stages.seeds.params import ScoreCam

PIXELS = 2**20  # of masked pictures in a forward pass, so that memory does not grow with the channels
CONSTANT = 1e-6  # of a channel's size: what varies by less is rounding


@torch.inference_mode()
def attribution(
    model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str, options: ScoreCam
) -> Tensor:
    """Signed maps [B, K, h, w] of the classes [B, K] (0-based) at `layer`.

    A forward pass of a masked picture serves all classes. Pictures are masked one by one: which others are in
    the batch changes nothing. A constant channel has no place to show, and does not count.
    """
    values = values_at(model, pictures, layer)
    grid = grid_of(model, layer)
    size = (pictures.shape[2], pictures.shape[3])
    rows, columns = (reading(n, n, m, grid).to(values) for n, m in zip(size, values.shape[2:], strict=True))
    found = torch.zeros(*classes.shape, values.shape[1], dtype=values.dtype, device=values.device)
    for row, picture in enumerate(pictures):
        chosen = varying(values[row], options.channels)
        scores = [
            model(picture * masks(rows @ values[row, part] @ columns.T, options.weights)[:, None])
            for part in chosen.split(max(1, PIXELS // picture[0].numel()))
            if len(part)
        ]
        if scores:
            found[row][:, chosen] = weights(torch.cat(scores)[:, classes[row]], options.weights).T.to(found)
    return torch.einsum("bkd,bdhw->bkhw", found, values)


def varying(values: Tensor, most: int | str) -> Tensor:
    """The channels of values [D, h, w] that are not constant, of these the `most` of largest deviation."""
    low, top = values.amin((1, 2)), values.amax((1, 2))
    chosen = (top - low > CONSTANT * top.abs()).nonzero()[:, 0]
    if most == "all":
        return chosen
    deviation = values[chosen].std((1, 2))
    return chosen[deviation.argsort(descending=True, stable=True)[: int(most)].sort().values]


def masks(maps: Tensor, how: str) -> Tensor:
    """Masks [n, H, W] of maps at the pixels; of slide 0 where the maximum is not positive."""
    top = maps.amax((1, 2), keepdim=True)
    if how == "slide":
        return torch.where(top > 0, maps / top, 0)
    low = maps.amin((1, 2), keepdim=True)
    return (maps - low) / (top - low).clamp_min(torch.finfo(maps.dtype).tiny)


def weights(scores: Tensor, how: str) -> Tensor:
    """Weights [n, K] of n channels from the logits [n, K] of the classes."""
    return scores.softmax(0) if how == "softmax" else scores.sigmoid()
