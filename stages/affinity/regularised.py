"""Near cells of like colours get like features, whether they are labelled or not (ZHANG 3.12 and 3.13)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.affinity.params import Regularised
from stages.common.pairs import both, distances, gaussian, square_offsets
from stages.common.training.colours import grey_values
from stages.common.training.params import Encoder


def loss(
    features: Tensor, pictures: Tensor, inside: Tensor, cell: int, options: Regularised, encoder: Encoder
) -> Tensor:
    """`weight` times the mean over the pairs of G_ij |f_i - f_j|_1 / d, a scalar; 0 where there is no pair.

    Features [B, d, h, w] of normalised pictures [B, 3, H, W], whose pixels are the picture's where `inside`,
    bool [B, H, W]; cells of `cell` x `cell` pixels. The norms in G are squared, as in the published code
    (3.13 prints plain ones), and G has no gradient. ZHANG's windows are square in the code, a disc in print.
    """
    offsets = square_offsets(options.radius)
    with torch.no_grad():
        rgb = F.avg_pool2d(grey_values(pictures, encoder), cell, ceil_mode=True)
        pairs = both(cells_inside(inside, cell), offsets)
        kernel = gaussian(rgb, offsets, options.sigma_xy, options.sigma_rgb) * pairs
    apart, _ = distances(features, offsets)
    return options.weight * (kernel * apart).sum() / pairs.sum().clamp_min(1)


def cells_inside(inside: Tensor, cell: int) -> Tensor:
    """Whether all pixels of a cell are the picture's, bool [B, h, w], of bool [B, H, W].

    A cell that the picture's border cuts mixes in the colour of what is no picture.
    """
    return F.max_pool2d((~inside).float()[:, None], cell, ceil_mode=True)[:, 0] == 0
