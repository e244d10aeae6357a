"""Pictures of whole patches, for cells that lie evenly in them."""

from torch import Tensor

from stages.seeds.grid import Grid
from stages.seeds.multi_scale import fitting, resize


def fitted(pictures: Tensor, patch: int) -> Tensor:
    """The pictures [B, 3, H, W] resized to the nearest number of patches a side, as seeds do.

    So no patch lies half outside, where others would look at what is no picture.
    """
    grid = Grid(patch, (patch - 1) / 2)
    return resize(pictures, fitting((pictures.shape[2], pictures.shape[3]), 1.0, grid))
