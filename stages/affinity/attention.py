"""Patches that look at each other belong together: the attention of a vision transformer, nothing is trained.

The class-aware attention-based affinity of CLIP-ES: the mean of the last blocks, made doubly stochastic by
Sinkhorn's steps, and symmetric. CLIP-ES squares it, keeps what lies in boxes around a class's map, and
multiplies the map by it once; here near pairs are kept, and the walk's beta and steps do the rest.
"""

import torch
from torch import Tensor

from stages.affinity.fitted import fitted
from stages.affinity.offsets import of_matrix
from stages.affinity.params import Affinity
from stages.classifier.clip import Vision
from stages.common.networks.plain_vit import PlainVit
from stages.common.pairs import Offsets


def maps(
    network: PlainVit | Vision, pictures: Tensor, params: Affinity, offsets: Offsets
) -> dict[str, Tensor]:
    """Affinities [B, P, h, w] of normalised pictures [B, 3, H, W], a cell for each patch.

    With `keep` also the mean attention [B, n, n] between the n patches, row by row, whose rows sum to 1.
    """
    options = params.attention
    assert options is not None  # the schema sees to it
    mean, cells = network.attention(fitted(pictures, network.output_stride), options.blocks)
    values = of_matrix(symmetric(mean, options.sinkhorn), cells, offsets)
    return {"maps": up_to_one(values)} | ({"attention": mean} if options.keep else {})


def symmetric(attention: Tensor, times: int) -> Tensor:
    """[B, n, n]: columns, then rows over their sums, so many times; then the mean with its transpose."""
    for _ in range(times):
        attention = attention / attention.sum(1, keepdim=True)
        attention = attention / attention.sum(2, keepdim=True)
    return (attention + attention.transpose(1, 2)) / 2


def up_to_one(values: Tensor) -> Tensor:
    """Each picture's affinities [P, h, w] over their largest, for a cell's with itself is 1 in the walk.

    Attention sums to 1 over all patches, so the more there are, the smaller it is.
    """
    most = values.amax((1, 2, 3), keepdim=True)
    return values / most.clamp_min(torch.finfo(values.dtype).tiny)
