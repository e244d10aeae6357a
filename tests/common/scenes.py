"""Pictures of soft shapes for tests of filters."""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor


def pictures(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Smooth colours with a little noise, whole grey values, float32 [count, 3, height, width]."""
    rng = np.random.default_rng(seed)
    soft = gaussian_filter(rng.standard_normal((count, 3, height, width)), (0, 0, height / 8, width / 8))
    rough = 120 + 45 * soft / soft.std() + rng.normal(0, 4, soft.shape)
    return torch.from_numpy(rough.round().clip(0, 255).astype(np.float32))


def probabilities(*shape: int, seed: int = 0) -> Tensor:
    """Of shape [B, K, H, W], float32."""
    return (2 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))).softmax(1)
