"""VGatt (CHEN Eq. 4.9) at the pixels as the network sees them, where the mean colour is 0."""

import torch
from torch import Tensor

from stages.diagnosis.case import Case
from stages.seeds.layers import INPUT, gradients, values_and_scores


def relevance(case: Case) -> Tensor:
    """[H, W], their sum with the bias is the score. They are not averaged to cells, as seeds are."""
    return (slope(case) * case.picture).sum(0)


def slope(case: Case) -> Tensor:
    """The gradient of the class's score by the picture, [3, H, W]."""
    with torch.enable_grad():
        values, scores = values_and_scores(case.model, case.picture[None], INPUT)
        (found,) = gradients(values, scores, scores.new_tensor([[case.target]], dtype=torch.long))
    return found[0]
