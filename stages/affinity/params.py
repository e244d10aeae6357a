"""Parameters of the step `affinity`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.common.params import Count, Positive, Section
from stages.common.training.params import MaskedTraining


class Regularised(Section):
    """ZHANG 3.12."""

    weight: Annotated[float, Field(ge=0)]  # 0: without
    sigma_xy: Positive  # cells
    sigma_rgb: Positive  # grey values
    radius: Annotated[int, Field(ge=1, le=10)]  # cells, of a square


class Affinity(MaskedTraining):
    of: Annotated[list[Literal["affinity_labels"]], Field(max_length=1)]  # empty: no such stage
    levels: Annotated[list[Annotated[int, Field(ge=1, le=5)]], Field(min_length=1)]  # encoder blocks
    channels: Annotated[list[Count], Field(min_length=1)]  # of each level's 1x1 convolution
    grid_stride: Literal[2, 4, 8, 16]  # pixels of the picture per cell of the affinity grid
    radius: Annotated[int, Field(ge=2, le=10)]  # cells
    regularised: Regularised

    @model_validator(mode="after")
    def _paired(self) -> "Affinity":
        if len(self.levels) != len(self.channels):
            raise ValueError("levels and channels need one entry each per level")
        return self
