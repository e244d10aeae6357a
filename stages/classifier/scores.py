"""How well the classifier recognises: average precision and F1 per class."""

import torch
from torch import Tensor


def classification_metrics(scores: Tensor, targets: Tensor, names: list[str]) -> dict:
    """Percent, from scores (logits) [N, C] and targets 0/1 [N, C].

    `map` is the mean over the classes that have a positive picture; F1 is at probability 0.5. Without
    any positive picture there are neither: the keys are left out.
    """
    from torchmetrics.functional.classification import multilabel_average_precision, multilabel_f1_score

    present = targets.sum(0) > 0
    if not present.any():
        return {"ap_per_class": {}, "f1_per_class": {}}
    truth = targets.int()
    count = len(names)
    if count == 1:  # the library wants two labels or more
        scores, truth = scores.repeat(1, 2), truth.repeat(1, 2)
    ap = multilabel_average_precision(scores, truth, max(count, 2), average=None)[:count]
    f1 = multilabel_f1_score(scores, truth, max(count, 2), average=None)[:count]
    return {
        "map": percent(ap[present].mean()),
        "f1": percent(f1[present].mean()),
        "ap_per_class": {names[c]: percent(ap[c]) for c in torch.nonzero(present).flatten().tolist()},
        "f1_per_class": {names[c]: percent(f1[c]) for c in torch.nonzero(present).flatten().tolist()},
    }


def percent(value: Tensor) -> float:
    return round(100 * float(value), 2)
