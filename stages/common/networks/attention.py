"""How the patches of a vision transformer look at each other, whichever library it is of."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


def mean_attention(
    blocks: Iterable[Any], tokens: Tensor, last: int, weights: Callable[[Any, Tensor], Tensor], others: int
) -> Tensor:
    """The mean over the `last` of the blocks, [B, n, n], of the n tokens that are of a patch; rows sum to 1.

    `tokens` [B, N, D] go into the first block, the first `others` of them are of no patch and are left out.
    `weights` gives a block's attention, [B, N, N], for what goes into it. ValueError for too few blocks.
    """
    blocks = list(blocks)
    if last > len(blocks):
        raise ValueError(f"affinity.attention.blocks: {last}, but the encoder has {len(blocks)}")
    total = torch.zeros((), device=tokens.device)
    for at, block in enumerate(blocks):
        if at >= len(blocks) - last:
            total = total + weights(block, tokens)
        tokens = block(tokens)
    patches = total[:, others:, others:]
    return patches / patches.sum(2, keepdim=True)
