"""Networks that halve their input five times, on pictures of any size."""

from torch import Tensor, nn
from torch.nn import functional as F

DIVISOR = 32  # sides that every network accepts


def scores(model: nn.Module, pictures: Tensor) -> Tensor:
    """Scores [B, classes, H, W] of pictures of any size: padded to the divisor, cut back."""
    height, width = pictures.shape[2:]
    padded = F.pad(pictures, (0, -width % DIVISOR, 0, -height % DIVISOR))
    found: Tensor = model(padded)
    return found[:, :, :height, :width]
