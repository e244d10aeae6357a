"""What people drew on one picture, as a method gets it."""

from typing import NamedTuple

import numpy as np

from stages.common.annotations import Box
from stages.common.annotations_params import Kind


class Drawn(NamedTuple):
    kind: Kind
    boxes: list[Box]  # of `boxes`
    marks: np.ndarray | None  # of the kinds MARKED: class indices uint8 [H, W], 255 nothing drawn


NOTHING = Drawn("none", [], None)
