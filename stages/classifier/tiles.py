"""A picture as its four quarters, and the quarters' maps put together again (DAVID, "Puzzle-CAM")."""

import torch
from torch import Tensor


def split(pictures: Tensor) -> Tensor:
    """The quarters of [B, D, H, W] with even sides: [4B, D, H / 2, W / 2], quarter by quarter."""
    upper, lower = pictures.chunk(2, 2)
    return torch.cat([*upper.chunk(2, 3), *lower.chunk(2, 3)])


def merge(quarters: Tensor) -> Tensor:
    """What `split` has cut, put together: [4B, D, h, w] to [B, D, 2h, 2w]."""
    first, second, third, fourth = quarters.chunk(4)
    return torch.cat([torch.cat([first, second], 3), torch.cat([third, fourth], 3)], 2)
