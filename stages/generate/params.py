"""Parameters of the step `generate`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.common.params import Count, Fraction, Section, Seed


class Generate(Section):
    of: Annotated[list[Literal["synthetic"]], Field(max_length=1)]  # empty: the graph has no such stage
    seed: Seed
    train: Count  # pictures
    val: Count  # pictures
    size: Annotated[int, Field(ge=32, le=1024)]  # side in pixels
    classes: Annotated[int, Field(ge=1, le=8)]
    objects: Annotated[int, Field(ge=1, le=6)]  # at most, in a picture
    second_mark: Fraction  # contrast of the pattern on a body's far end; 0: none there
    scribbles: Annotated[float, Field(gt=0, le=1)]  # of a stroke's length, what is kept

    @model_validator(mode="after")
    def _every_class_trains(self) -> "Generate":
        if self.train < self.classes:
            raise ValueError(f"train: must be at least classes ({self.classes}), found {self.train}")
        return self
