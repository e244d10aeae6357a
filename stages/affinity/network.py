"""AffinityNet (DAVID, "Pixel Semantic Affinity"): features whose distance tells what belongs together."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.networks.encoders import build_encoder
from stages.common.training.params import Encoder


class AffinityNet(nn.Module):
    """Features [B, D, H / grid, W / grid] from the last blocks of an encoder.

    Each level goes through a 1x1 convolution to `channels` and to the grid; joined, through a last
    1x1 convolution (PSA: f8_3, f8_4, f8_5, f9, with ELU).
    """

    def __init__(self, encoder: nn.Module, levels: list[int], channels: list[int], grid: int) -> None:
        super().__init__()
        self.encoder, self.levels, self.grid = encoder, levels, grid
        sizes: list[int] = [encoder.out_channels[level] for level in levels]  # type: ignore[index, misc]
        self.reduce = nn.ModuleList(
            nn.Conv2d(size, count, 1, bias=False) for size, count in zip(sizes, channels, strict=True)
        )
        total = sum(channels)
        self.join = nn.Conv2d(total, total, 1, bias=False)
        nn.init.xavier_uniform_(self.join.weight, gain=4)

    def forward(self, pictures: Tensor) -> Tensor:
        height, width = pictures.shape[2:]
        return self.compared(self.encoder(pictures), self.cells(height, width))

    def cells(self, height: int, width: int) -> tuple[int, int]:
        """The grid of a picture of so many pixels."""
        return -(-height // self.grid), -(-width // self.grid)

    def compared(self, levels: list[Tensor], cells: tuple[int, int]) -> Tensor:
        """The features that are compared, [B, D, *cells], of the encoder's levels."""
        reduced = [
            F.interpolate(F.elu(conv(levels[level])), cells, mode="bilinear", align_corners=False)
            for level, conv in zip(self.levels, self.reduce, strict=True)
        ]
        return F.elu(self.join(torch.cat(reduced, 1)))


def affinities(features: Tensor, offsets: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """W_ij = exp(-|f_i - f_j|) of each cell with its forward neighbours, and where both exist.

    Features [B, D, h, w] -> affinities [B, P, h, w], 0 where the neighbour lies outside, and
    inside [P, h, w], bool. The distance is the mean over the channels, as in PSA's code: it is
    DAVID's L1 norm of f / D, so the two describe the same set of networks.
    """
    height, width = features.shape[2:]
    radius = max(abs(step) for offset in offsets for step in offset)
    features = features.float()
    wide = F.pad(features, (radius, radius, 0, radius))
    ones = F.pad(torch.ones_like(features[:1, :1]), (radius, radius, 0, radius))
    values, inside = [], []
    for dy, dx in offsets:
        window = (slice(dy, dy + height), slice(radius + dx, radius + dx + width))
        there = ones[0, 0, window[0], window[1]] > 0
        distance = (features - wide[:, :, window[0], window[1]]).abs().mean(1)
        values.append(torch.exp(-distance) * there)
        inside.append(there)
    return torch.stack(values, 1), torch.stack(inside)


def build_affinity_net(encoder: Encoder, levels: list[int], channels: list[int], grid: int) -> AffinityNet:
    return AffinityNet(build_encoder(encoder), levels, channels, grid)


def rebuild_affinity_net(config: dict) -> AffinityNet:
    """The network of a saved config.json, without weights (they are loaded next)."""
    params = Encoder.model_validate(config["encoder"])
    bare = params.model_copy(update={"weights": params.weights.model_copy(update={"source": "none"})})
    with torch.random.fork_rng(devices=[]):
        return build_affinity_net(bare, config["levels"], config["channels"], config["grid_stride"])
