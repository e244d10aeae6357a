"""Parameters of the step `predictions`."""

from typing import Annotated, Literal

from pydantic import Field

from stages.common.crf_params import Crf
from stages.common.params import Positive, Section


class Predictions(Section):
    scales: Annotated[list[Positive], Field(min_length=1)]
    flip: bool
    crf: bool
    dense_crf: Crf
    precision: Literal["fp32", "bf16"]
