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
    road: Fraction  # share of the pictures of the first class that show it on a road, which is ground
    pairs: Fraction  # share of the pictures in which the second and third class come together or not at all
    clutter: Annotated[int, Field(ge=0, le=12)]  # bodies without a mark behind the objects, of no class
    thin: Fraction  # share of the bodies that have thin parts
    rare: Annotated[
        float, Field(ge=1, le=1000)
    ]  # how many times as often as the last class the first is drawn
    scribbles: Annotated[float, Field(gt=0, le=1)]  # of a stroke's length, what is kept

    @model_validator(mode="after")
    def _every_class_trains(self) -> "Generate":
        if self.train < self.classes:
            raise ValueError(f"train: must be at least classes ({self.classes}), found {self.train}")
        return self

    @model_validator(mode="after")
    def _can_be_drawn(self) -> "Generate":
        if self.pairs and (self.classes < 3 or self.objects < 2):
            raise ValueError("pairs: must be 0 where there are fewer than 3 classes or 2 objects")
        if self.rare > 1 and self.classes < 2:
            raise ValueError(f"rare: must be 1 where there is one class, found {self.rare:g}")
        return self
