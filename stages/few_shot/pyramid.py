"""PFENet's decoder, as SCL uses it (ZHANG 5.4.1, Fig. 5.5): pooled levels, each enriched by the finer."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SCORES_DROPOUT = 0.1  # at most, before scores (the published code)


def upsampled(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


class Merge(nn.Module):
    """A 1x1 convolution a level, of features, vectors and what else there is, pooled to the level's bins."""

    def __init__(self, inputs: int, channels: int, bins: list[int]) -> None:
        super().__init__()
        self.bins = bins
        self.convs = nn.ModuleList(nn.Conv2d(inputs, channels, 1, bias=False) for _ in bins)

    def forward(self, x: Tensor) -> list[Tensor]:
        """[B, inputs, h, w] -> of each level [B, channels, bin, bin]."""
        return [
            F.relu(conv(F.adaptive_avg_pool2d(x, size)))
            for conv, size in zip(self.convs, self.bins, strict=True)
        ]


class Decoder(nn.Module):
    """Scores of object and ground: of the whole, and of each level by itself, which a loss supervises."""

    def __init__(self, channels: int, bins: list[int], dropout: float) -> None:
        super().__init__()
        self.enrich = nn.ModuleList(nn.Conv2d(2 * channels, channels, 1, bias=False) for _ in bins[1:])
        self.refine = nn.ModuleList(_twice(channels) for _ in bins)
        self.scores = nn.ModuleList(_scores(channels, dropout) for _ in bins)
        self.join = nn.Conv2d(len(bins) * channels, channels, 1, bias=False)
        self.last = _twice(channels)
        self.whole = _scores(channels, dropout)

    def forward(self, levels: list[Tensor], cells: tuple[int, int]) -> tuple[Tensor, list[Tensor]]:
        """The levels of `Merge`, the finest first -> [B, 2, *cells], and [B, 2, bin, bin] of each."""
        wide, each = [], []
        before: Tensor | None = None
        for at, merged in enumerate(levels):
            x = merged
            if before is not None:
                both = torch.cat([x, upsampled(before, (x.shape[2], x.shape[3]))], 1)
                x = F.relu(self.enrich[at - 1](both)) + x
            x = self.refine[at](x) + x
            each.append(self.scores[at](x))
            wide.append(upsampled(x, cells))
            before = x
        x = F.relu(self.join(torch.cat(wide, 1)))
        return self.whole(self.last(x) + x), each


def _twice(channels: int) -> nn.Sequential:
    conv = (nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2))
    return nn.Sequential(next(conv), nn.ReLU(), next(conv), nn.ReLU())


def _scores(channels: int, dropout: float) -> nn.Sequential:
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    return nn.Sequential(
        conv, nn.ReLU(), nn.Dropout2d(min(dropout, SCORES_DROPOUT)), nn.Conv2d(channels, 2, 1)
    )
