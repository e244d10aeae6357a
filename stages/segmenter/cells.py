"""What a term compares on a grid of cells coarser than the pixels."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.common.training.colours import grey_values
from stages.common.training.params import Encoder
from stages.segmenter.terms import View


class Cells(NamedTuple):
    """Of the cells of a view; means over their pixels."""

    probabilities: Tensor  # [B, C, h, w]
    rgb: Tensor  # [B, 3, h, w], 0 to 255, no gradient
    inside: Tensor  # bool [B, h, w]: all of the cell's pixels lie in the picture


def cells_of(view: View, side: int, encoder: Encoder) -> Cells:
    """Cells of `side` x `side` pixels, which divides the view; `encoder` says how colours were normalised.

    A cell that the picture's border cuts counts as outside, for its means mix in what is no picture.
    """
    with torch.no_grad():
        rgb = grey_values(view.pictures, encoder)
        outside = F.max_pool2d((~view.inside).float()[:, None], side)[:, 0]
        rgb = F.avg_pool2d(rgb, side)
    return Cells(F.avg_pool2d(view.scores.float().softmax(1), side), rgb, outside == 0)
