"""Grad-CAM at the last layer, read at the pixels: CHEN's baseline. Before the head it is CAM."""

import torch
from torch import Tensor

from stages.diagnosis.case import Case
from stages.seeds import grad_cam
from stages.seeds.grid import grid_of
from stages.seeds.layers import LAST
from stages.seeds.multi_scale import reading


def relevance(case: Case) -> Tensor:
    """[H, W], linear between the centres of the cells; signed, so that few pixels are tied."""
    classes = torch.tensor([[case.target]], device=case.picture.device)
    map_ = grad_cam.attribution(case.model, case.picture[None], classes, LAST)[0, 0]
    cells = grid_of(case.model, LAST)
    height, width = case.picture.shape[1:]
    rows, columns = (
        reading(side, side, count, cells).to(map_)
        for side, count in zip((height, width), map_.shape, strict=True)
    )
    return rows @ map_ @ columns.T
