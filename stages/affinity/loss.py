"""The loss of AffinityNet (DAVID, "Pixel Semantic Affinity", Training)."""

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


def pair_kinds(
    labels: Tensor, offsets: list[tuple[int, int]], inside: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Which pairs are P_fg+ (one foreground class), P_bg+ (both background), P- (different classes).

    Labels [B, h, w]; three masks [B, P, h, w]. Pairs with an unknown cell are in none.
    """
    height, width = labels.shape[1:]
    radius = max(abs(step) for offset in offsets for step in offset)
    wide = F.pad(labels, (radius, radius, 0, radius), value=UNKNOWN)
    other = torch.stack(
        [wide[:, dy : dy + height, radius + dx : radius + dx + width] for dy, dx in offsets], 1
    )
    own = labels[:, None]
    known = (own != UNKNOWN) & (other != UNKNOWN) & inside
    same = known & (own == other)
    return same & (own > 0), same & (own == 0), known & (own != other)


def affinity_loss(values: Tensor, kinds: tuple[Tensor, Tensor, Tensor]) -> dict[str, Tensor]:
    """L = L_fg+ + L_bg+ + 2 L-, each a mean over its own pairs; -log W and -log(1 - W).

    `values` [B, P, h, w] in (0, 1]. A kind without pairs contributes 0.
    """
    positive = -torch.log(values.clamp_min(1e-5))
    negative = -torch.log((1 - values).clamp_min(1e-5))
    foreground, background, different = kinds
    parts = {
        "foreground": _mean(positive, foreground),
        "background": _mean(positive, background),
        "different": _mean(negative, different),
    }
    return {"loss": parts["foreground"] + parts["background"] + 2 * parts["different"], **parts}


def _mean(values: Tensor, where: Tensor) -> Tensor:
    return (values * where).sum() / where.sum().clamp_min(1)
