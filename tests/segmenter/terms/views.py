"""Views of noise for tests of the terms that compare pairs of cells."""

from typing import Any

import torch

from stages.common.training.params import Encoder
from stages.segmenter.terms import View

ENCODER = Encoder(
    name="small", output_stride=8, mean=[0.4, 0.5, 0.6], std=[0.2, 0.25, 0.3], freeze=[], batch_norm="train",
    weights={"source": "none", "name": "", "sha256": ""},
)  # fmt: skip
SIDE, CELL = 12, 2  # pixels
CHANNELS = 5


def noise(seed: int = 0, **changes: Any) -> View:
    """Two views of three classes, 12 x 12, of colours 0 to 255, with a strip outside of the picture."""
    rng = torch.Generator().manual_seed(seed)
    rgb = torch.randint(256, (2, 3, SIDE, SIDE), generator=rng) / 255
    mean, std = (torch.tensor(values)[:, None, None] for values in (ENCODER.mean, ENCODER.std))
    inside = torch.ones(2, SIDE, SIDE, dtype=torch.bool)
    inside[1, :, :3] = False  # the second column of cells is cut
    made = View(
        scores=3 * torch.randn(2, 3, SIDE, SIDE, generator=rng),
        labels=torch.zeros(2, SIDE, SIDE, dtype=torch.int64),
        pictures=(rgb - mean) / std,
        done=0.5,
        helper=None,
        inside=inside,
        features=torch.randn(2, CHANNELS, SIDE // CELL, SIDE // CELL, generator=rng).abs(),
    )
    return made._replace(**changes)


def cells(view: View) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Probabilities and colours [B, C, 6, 6], means of 2 x 2 pixels, and which cells are inside."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (ENCODER.mean, ENCODER.std))
    p, rgb = view.scores.softmax(1), 255 * (view.pictures * std + mean)

    def blocks(x: torch.Tensor) -> torch.Tensor:
        return x.unfold(-2, CELL, CELL).unfold(-2, CELL, CELL).flatten(-2)

    return blocks(p).mean(-1), blocks(rgb).mean(-1), blocks(view.inside).all(-1)


def near(radius: int, inside: torch.Tensor) -> list[tuple[int, tuple[int, int], tuple[int, int]]]:
    """(b, i, j) of all cells i and other cells j of their window, each pair twice."""
    places = [(int(b), int(y), int(x)) for b, y, x in inside.nonzero()]
    return [
        (b, (y, x), (v, u))
        for b, y, x in places
        for c, v, u in places
        if b == c and 0 < max(abs(y - v), abs(x - u)) <= radius
    ]
