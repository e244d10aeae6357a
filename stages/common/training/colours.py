"""The colours of a picture that was normalised for an encoder."""

import torch
from torch import Tensor

from stages.common.training.params import Encoder


def grey_values(pictures: Tensor, encoder: Encoder) -> Tensor:
    """RGB as it was read, whole numbers of 0..255, float32 [B, 3, H, W], of normalised pictures."""
    mean, std = (torch.tensor(n, device=pictures.device)[:, None, None] for n in (encoder.mean, encoder.std))
    return ((pictures.float() * std + mean) * 255).round().clamp(0, 255)
