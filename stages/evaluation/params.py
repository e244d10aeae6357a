"""Parameters of the step `evaluation`."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from stages.common.params import Fraction, Section
from stages.evaluation.names import WIDTH

Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
Folder = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)*$")]
Width = Annotated[int, Field(ge=1, le=255)]
Void = Literal["label", "trimap"]


class Rungs(Section):
    """What is scored, as all that draws the ladder reads it."""

    rungs: Annotated[dict[Name, Folder], Field(min_length=1)]


class Boundary(Section):
    widths: Annotated[tuple[Width, ...], Field(strict=False)]  # of the band, in pixels on each side
    void: Void  # whether 255 in the truth is one more label, or the boundary itself

    @field_validator("widths")
    @classmethod
    def rising(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        if list(widths) != sorted({*widths, WIDTH}):
            raise ValueError(
                f"must rise and hold {WIDTH}, the width of boundary_miou, as [1, {WIDTH}, 10]: "
                f"found {list(widths)}"
            )
        return widths


class Evaluation(Section):
    rungs: Annotated[dict[Name, Folder], Field(min_length=1)] | None = None  # the folders of data/ scored
    threshold: Fraction  # the fixed one that turns maps into labels
    bins: Annotated[int, Field(ge=10, le=1000)]  # thresholds of the curve: 1/bins apart
    boundary: Boundary
    jaccard_threshold: Fraction  # of a picture: a lower Jaccard index counts as 0
