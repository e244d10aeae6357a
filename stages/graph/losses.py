"""What the network of a picture minimises (ZHANG 3.3.5), and labels that it does not trust."""

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.common.annotations import Box
from stages.common.artifacts import UNKNOWN


def cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """The mean over the background's pixels and the one over all classes' pixels, of scores [C, H, W].

    As the published code has it; ZHANG 3.21 is one mean. A side without a label counts 0.
    """
    known = labels != UNKNOWN
    costs = F.cross_entropy(scores[None], torch.where(known, labels, 0)[None], reduction="none")[0]
    return _mean(costs, labels == 0) + _mean(costs, known & (labels > 0))


def _mean(values: Tensor, where: Tensor) -> Tensor:
    return (values * where).sum() / where.sum().clamp_min(1)


def touched(scores: Tensor, box: Box) -> tuple[Tensor, Tensor]:
    """K_j (ZHANG 3.23, 3.24): the highest place of `scores` [H, W] in each row and each column of a box.

    Its object is somewhere in each of them. Rows and columns of the h + w places, int64 each; the first of
    equal ones.
    """
    inside = scores[box.top : box.bottom, box.left : box.right]
    columns, rows = inside.argmax(1), inside.argmax(0)
    y = torch.cat([torch.arange(len(columns), device=rows.device), rows]) + box.top
    x = torch.cat([columns, torch.arange(len(rows), device=rows.device)]) + box.left
    return y, x


def multi_point(scores: list[Tensor], features: list[Tensor], positions: list[int]) -> Tensor:
    """ZHANG 3.26: the places that are surely of a box's class are so, and alike among themselves.

    For each box the scores [h + w, C] and features [h + w, D] of its places, and the position of its class
    among C: the mean cross-entropy, plus the mean of 1 - cos over ordered pairs of places of one box.
    """
    of_class = [score.log_softmax(1)[:, at] for score, at in zip(scores, positions, strict=True)]
    apart, pairs = scores[0].new_zeros(()), 0
    for feature in features:
        unit, count = F.normalize(feature, dim=1), len(feature)
        cosines = unit @ unit.T
        apart = apart + count * (count - 1) - (cosines.sum() - cosines.diagonal().sum())
        pairs += count * (count - 1)
    return -torch.cat(of_class).mean() + apart / pairs


def regularised(scores: Tensor, kernel: Tensor) -> Tensor:
    """1/N of the sum over i and j of G_ij (1 - <o_i, o_j>), of scores [N, C] and G [N, N] without a diagonal.

    ZHANG 3.22 prints the sum of G_ij o_i o_j over all pairs of classes, which is that of G; with c_i != c_j
    it is this.
    """
    shares = scores.softmax(1)
    return (kernel.sum() - (shares * (kernel @ shares)).sum()) / len(scores)


def consistent(labels: Tensor, box: Box, position: int, cosines: Tensor, above: float) -> Tensor:
    """ZHANG 3.28: `labels` [H, W], unknown where a box's are of its class and unlike its places.

    `cosines` [H, W] of each pixel's features with the mean of those of the box's places.
    """
    found = labels.clone()
    inside = slice(box.top, box.bottom), slice(box.left, box.right)
    unlike = (labels[inside] == position) & (cosines[inside] <= above)
    found[inside] = torch.where(unlike, UNKNOWN, labels[inside])
    return found
