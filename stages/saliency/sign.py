"""Which side of C2AM's map is the object: z must be higher where seeds are sure than where they see none.

C2AM's loss is the same for both, and its published code decides once, by how bright the border is.
"""

import math
from typing import NamedTuple

import numpy as np

from stages.common.labels import upsample

NEAR = 0.1  # a margin under it is no more than luck; z has variance 1


class Sign(NamedTuple):
    sign: int  # what z is multiplied by, before the sigmoid or the ReLU
    margin: float  # mean z of the sure pixels over that of the ground, once it is turned


def sums(values: np.ndarray, strength: np.ndarray, foreground: float, background: float) -> np.ndarray:
    """Sum of z and number of pixels, sure ones, then ground, float64 [4], of one picture.

    z [h, w] is brought to the size of `strength` [H, W], the highest seed of each pixel: one is sure at
    `foreground` or above, ground below `background`.
    """
    large = upsample(values[None], strength.shape[:2])[0].astype(np.float64)
    sure, ground = strength >= foreground, strength < background
    return np.array([large[sure].sum(), sure.sum(), large[ground].sum(), ground.sum()])


def settle(total: np.ndarray) -> Sign:
    """Of the sums over all pictures. ValueError where there is no sure pixel or no ground."""
    sure, many, ground, others = total.tolist()
    if not many or not others:
        key, wrong = ("delta_foreground", "as high as") if not many else ("delta_background", "lower than")
        raise ValueError(
            f"saliency: in no training picture the seeds are {wrong} {key}, so nothing tells object from "
            f"ground: change {key}, or look at data/seeds"
        )
    margin = sure / many - ground / others
    return Sign(-1 if margin < 0 else 1, math.fabs(margin))
