"""Parameters of the step `ceiling`."""

from typing import Annotated, Literal

from pydantic import Field

from stages.common.params import Section


class Ceiling(Section):
    of: Annotated[list[Literal["segmenter"]], Field(max_length=1)]  # empty: the graph has no such stage
