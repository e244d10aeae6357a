"""The labels of AffinityNet's cells (DAVID, "Pixel Semantic Affinity", Training)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.common.artifacts import UNKNOWN


def grid_labels(labels: Tensor, cell: int, classes: int) -> Tensor:
    """Labels [B, H, W] (255 unknown) to cells [B, h, w], int64: the class with the largest known area.

    A cell without a known pixel is 255 (PSA pools the one-hot labels 8x8 and takes the argmax).
    Cells at the border may be cut: h = ceil(H / cell).
    """
    known = labels != UNKNOWN
    one_hot = F.one_hot(torch.where(known, labels, 0), classes) * known[..., None]
    area = F.avg_pool2d(one_hot.permute(0, 3, 1, 2).float(), cell, ceil_mode=True)
    return torch.where(area.amax(1) > 0, area.argmax(1), UNKNOWN)
