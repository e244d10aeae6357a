"""Losses of the segmenter's pixels; one a file.

`loss(scores [B, C, H, W], labels [B, H, W], its section, extra) -> scalar`, in float32 whatever the scores
are. Pixels labelled 255 never count, and a batch of nothing else costs 0. A file may have
`samples(samples, options)`: what its batches hold besides goes to `extra.pixels`.
"""

from typing import NamedTuple

from torch import Tensor


class Extra(NamedTuple):
    """What a loss may use beside the labels."""

    class_weights: Tensor | None = None  # float32 [C]; None: all weigh 1
    pixels: Tensor | None = None  # float32 [B, H, W], of the loss's own samples
