"""Parameters of the step `explanation`."""

from typing import Annotated, Literal

from pydantic import Field

from stages.common.params import Section


class Explanation(Section):
    of: Annotated[list[Literal["seeds"]], Field(max_length=1)]  # empty: the graph has no such stage
    precision: Literal["fp32", "bf16"]
