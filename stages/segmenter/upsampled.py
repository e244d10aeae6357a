"""What the networks of ours have in common."""

from torch import Tensor
from torch.nn import functional as F


def upsampled(scores: Tensor, pictures: Tensor) -> Tensor:
    """Scores [B, classes, h, w] at the size of pictures [B, 3, H, W], bilinear."""
    return F.interpolate(scores, pictures.shape[2:], mode="bilinear", align_corners=False)
