"""Parameters of the step `generate`."""

from typing import Annotated

from pydantic import Field, model_validator

from stages.common.params import Count, Section, Seed


class Generate(Section):
    seed: Seed
    train: Count  # pictures
    val: Count  # pictures
    size: Annotated[int, Field(ge=32, le=1024)]  # side in pixels
    classes: Annotated[int, Field(ge=1, le=8)]
    objects: Annotated[int, Field(ge=1, le=6)]  # at most, in a picture

    @model_validator(mode="after")
    def _every_class_trains(self) -> "Generate":
        if self.train < self.classes:
            raise ValueError(f"train: must be at least classes ({self.classes}), found {self.train}")
        return self
