"""What of a support picture guides the segmentation of another (ZHANG 5.3.2), and where that looks alike."""

import torch
from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-7


def shares(masks: Tensor, cells: tuple[int, int]) -> Tensor:
    """How much of each cell is of the object, float32 [B, *cells] of masks int64 [B, H, W]; void is not."""
    return F.adaptive_avg_pool2d((masks == 1).float()[:, None], cells)[:, 0]


def masked_mean(features: Tensor, weights: Tensor) -> Tensor:
    """The mean of features [B, D, h, w] by weights [B, h, w] (Eq. 5.1), [B, D]; 0 where all weigh nothing."""
    total = (features.float() * weights[:, None]).sum((2, 3))  # of thousands of cells: not in bfloat16
    return total / weights.sum((1, 2)).clamp(min=EPSILON)[:, None]


def guided(features: Tensor, weights: Tensor, found: Tensor) -> tuple[Tensor, Tensor]:
    """The primary and the auxiliary vector [B, D]: of the object's cells that were found, and of the others.

    Features [B, D, h, w], the object's share of each cell [B, h, w], and the cells predicted as the object,
    bool [B, h, w] (Eq. 5.5, 5.6). By their weights the two sum to the initial vector.
    """
    return masked_mean(features, weights * found), masked_mean(features, weights * ~found)


def prior(query: Tensor, support: Tensor, weights: Tensor) -> Tensor:
    """Where the query looks like the support's object, [B, 1, h, w] from 0 to 1 in each picture (PFENet).

    Of features [B, D, h, w] and the object's share of each support cell: the largest cosine of a query cell
    with a cell that the object touches. All 0 where it touches none, or all are equally alike.
    """
    batch, _, height, width = query.shape
    ours, theirs = (F.normalize(found.flatten(2).float(), dim=1) for found in (query, support))
    with torch.autocast(query.device.type, enabled=False):  # bfloat16 tells few cosines near 1 apart
        cosines = torch.einsum("bdq,bds->bqs", ours, theirs)
    touched = (weights > 0).flatten(1)[:, None]
    largest = cosines.masked_fill(~touched, -torch.inf).amax(2)
    largest = torch.where(torch.isfinite(largest), largest, torch.zeros_like(largest))
    low, high = largest.amin(1, keepdim=True), largest.amax(1, keepdim=True)
    return ((largest - low) / (high - low).clamp(min=EPSILON)).reshape(batch, 1, height, width)
