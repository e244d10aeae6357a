"""Multi-scale and flipped inference of a segmenter (ZHANG 2.3.1)."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Scores = Callable[[Tensor], Tensor]
Fuse = Literal["mean", "max"]


def probabilities(scores: Scores, pictures: Tensor, scales: list[float], flip: bool, fuse: Fuse) -> Tensor:
    """Class probabilities [B, C, H, W] of pictures [B, 3, H, W], of all scales and flips together.

    `mean` of their probabilities, or the probabilities of the `max` of their scores, as DeepLab v2 fuses
    its scales. Raises ValueError if one is not finite: the largest of them would be the background's,
    whatever is seen.
    """
    size = pictures.shape[2:]
    total: Tensor | None = None
    for scale in scales:
        scaled = tuple(max(1, round(side * scale)) for side in size)
        inputs = pictures
        if scaled != tuple(size):
            inputs = F.interpolate(pictures, scaled, mode="bilinear", align_corners=False, antialias=True)
        for mirrored in (False, True) if flip else (False,):
            out = scores(inputs.flip(3) if mirrored else inputs).float()
            out = F.interpolate(out, size, mode="bilinear", align_corners=False)
            out = out.softmax(1) if fuse == "mean" else out
            out = out.flip(3) if mirrored else out
            total = out if total is None else total + out if fuse == "mean" else torch.maximum(total, out)
    assert total is not None
    if not torch.isfinite(total).all():
        raise ValueError(
            "the network's scores are not finite: take predictions.precision fp32; if they still are, "
            "its training diverged: lower its learning rate, segmenter.optimizer.lr or that of its step, and "
            "train it again"
        )
    return total.softmax(1) if fuse == "max" else total / (len(scales) * (2 if flip else 1))
