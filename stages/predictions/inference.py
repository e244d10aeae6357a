"""Multi-scale and flipped inference of a segmenter (ZHANG 2.3.1)."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Scores = Callable[[Tensor], Tensor]


def probabilities(scores: Scores, pictures: Tensor, scales: list[float], flip: bool) -> Tensor:
    """Class probabilities [B, C, H, W] of pictures [B, 3, H, W]: the mean over scales and flips.

    Raises ValueError if one is not finite: the largest of them would be the background's, whatever is seen.
    """
    size = pictures.shape[2:]
    total = torch.zeros(())
    for scale in scales:
        scaled = tuple(max(1, round(side * scale)) for side in size)
        inputs = pictures
        if scaled != tuple(size):
            inputs = F.interpolate(pictures, scaled, mode="bilinear", align_corners=False, antialias=True)
        for mirrored in (False, True) if flip else (False,):
            out = scores(inputs.flip(3) if mirrored else inputs).float()
            out = F.interpolate(out, size, mode="bilinear", align_corners=False).softmax(1)
            total = total.to(out.device) + (out.flip(3) if mirrored else out)
    if not torch.isfinite(total).all():
        raise ValueError(
            "the segmenter's scores are not finite: take predictions.precision fp32; if they still are, "
            "its training diverged: lower segmenter.optimizer.lr and train it again"
        )
    return total / (len(scales) * (2 if flip else 1))
