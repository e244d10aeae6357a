"""Parameters of the step `diagnosis`."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from stages.common.params import Count, Section, Seed

Method = Literal["vgatt_raw", "vgatt_normalised", "grad_cam", "occlusion", "random"]
Share = Annotated[float, Field(gt=0, le=100)]  # percent of the pixels


class Occlusion(Section):
    patch: Count  # side of the square that is covered, pixels
    stride: Count

    @model_validator(mode="after")
    def _covers(self) -> "Occlusion":
        if self.stride > self.patch:
            raise ValueError(f"stride must be at most patch, {self.patch}: else no patch covers some pixels")
        return self


class Diagnosis(Section):
    of: Annotated[list[Literal["classifier"]], Field(max_length=1)]  # empty: the graph has no such stage
    pictures: Count  # of val, with a class; all, if there are fewer
    layers: Annotated[list[str], Field(min_length=1)]  # module paths of the classifier, last, input
    methods: Annotated[list[Method], Field(min_length=1)]
    shares: Annotated[list[Share], Field(min_length=1)]
    fill: Literal["black", "mean"]  # the colour of what is removed
    occlusion: Occlusion
    seed: Seed

    @field_validator("layers", "methods", "shares")
    @classmethod
    def _once(cls, values: list[object]) -> list[object]:
        if twice := [value for value in values if values.count(value) > 1]:
            raise ValueError(f"must differ, found {twice[0]!r} twice")
        return values

    @field_validator("shares")
    @classmethod
    def _rising(cls, shares: list[float]) -> list[float]:
        if shares != sorted(shares):
            raise ValueError(f"must rise, found {shares}")
        return shares
