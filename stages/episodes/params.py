"""Parameters of the step `episodes`."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from stages.common.params import Count, Section


class Episodes(Section):
    shots: Annotated[
        list[Count], Field(min_length=1)
    ]  # how many supports guide at once, each a row of scores
    precision: Literal["fp32", "bf16"]
    shown: Annotated[int, Field(ge=0, le=100)]  # episodes on the sheet

    @field_validator("shots")
    @classmethod
    def _rising(cls, value: list[int]) -> list[int]:
        if value != sorted(set(value)):
            raise ValueError(f"must rise, found {value}")
        return value
