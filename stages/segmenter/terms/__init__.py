"""Structure terms, which are added to the loss of the pixels; one a file, several may be on at once.

`build(its section, task) -> Term`. They look at a network's first scores, and stand in the history by their
names.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn

from stages.common.training.samples import MaskedSamples
from stages.common.training.strategy import Losses
from stages.segmenter.params import Segmenter


@dataclass(frozen=True)
class Task:
    """The training that a term is for."""

    step: str
    params: Segmenter
    classes: int  # with the background
    samples: MaskedSamples

    def masks(self) -> Iterator[np.ndarray]:
        """The labels that are trained on, uint8 [H, W], picture by picture."""
        for picture in self.samples.pictures:
            mask = self.samples.mask(picture)
            assert mask is not None  # a segmenter's samples have some
            yield mask


class View(NamedTuple):
    """What a step shows to a term."""

    scores: Tensor  # [B, C, H, W]
    labels: Tensor  # [B, H, W], 255 is unknown
    pictures: Tensor  # [B, 3, H, W], normalised as the encoder expects it
    done: float  # share of the steps
    helper: Callable[..., Any] | None  # the term's network
    inside: Tensor  # [B, H, W] bool, False where the augmented view lies outside of the picture
    features: Tensor | None = None  # [B, D, h, w], of the term's head


@dataclass(frozen=True)
class Term:
    """`loss` gives the term under its own name; what it names besides is only told."""

    loss: Callable[[View], Losses]
    network: nn.Module | None = None  # frozen
    files: dict[str, bytes] = field(default_factory=dict)  # to keep beside the segmenter
    # Makes what learns along on the network's shared map (of so many channels), and is not kept.
    head: Callable[[int], nn.Module] | None = None
