"""What the few-shot network minimises (ZHANG Eq. 5.14, and the levels' terms of the published code)."""

from torch import Tensor
from torch.nn import functional as F

from stages.common.artifacts import UNKNOWN
from stages.common.training.strategy import MAIN, Batch, Losses, Networks
from stages.few_shot.pyramid import upsampled


def cross_entropy(scores: Tensor, masks: Tensor) -> Tensor:
    """The mean over known pixels, of scores [B, 2, h, w] at the size of masks int64 [B, H, W]; 0 of none."""
    scores = upsampled(scores, (masks.shape[1], masks.shape[2]))
    total = F.cross_entropy(scores, masks, ignore_index=UNKNOWN, reduction="sum")
    return total / (masks != UNKNOWN).sum().clamp(min=1)


def batch_loss(called: Networks, batch: Batch, _: float) -> Losses:
    """The cross-entropies of the query and of the support's passes, and of the levels of each, averaged."""
    support, support_mask, query, query_mask = batch
    found = called[MAIN](support, support_mask, query)
    losses: Losses = {}
    for name in ("query", "support1", "support2"):
        if name in found:
            masks = query_mask if name == "query" else support_mask
            levels = [cross_entropy(scores, masks) for scores in found[f"{name}_levels"]]
            losses[name] = cross_entropy(found[name], masks)
            losses[f"{name}_levels"] = sum(levels, start=losses[name].new_zeros(())) / len(levels)
    return {"loss": sum(losses.values(), start=losses["query"].new_zeros(())), **losses}
