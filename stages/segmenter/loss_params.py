"""Parameters of the segmenter's losses and structure terms."""

import itertools
import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from stages.common.dense_energy_params import DenseEnergy
from stages.common.params import Count, Fraction, Positive, Section

Weight = Annotated[float, Field(ge=0)]
Radius = Annotated[int, Field(ge=1, le=10)]  # cells
BALANCES = ("none", "inverse", "median", "sides")


def _balance(value: Any) -> Any:
    """One line for what is neither a name nor a list of weights; pydantic has one for each kind."""
    if isinstance(value, str) and value in BALANCES:
        return value
    numbers = value if isinstance(value, list) else []
    fit = all(type(n) in (int, float) and math.isfinite(n) and n >= 0 for n in numbers)
    if not fit or not any(numbers):
        raise ValueError(
            f"must be {', '.join(BALANCES)}, or a list of weights from 0 on, one a class with the background "
            f"first and not all 0; found {value!r}"
        )
    return value


# How much the pixels of a class weigh (stages/segmenter/class_balance.py), or each class's weight.
Balance = Annotated[Literal["none", "inverse", "median", "sides"] | list[float], BeforeValidator(_balance)]


def wrong_number(loss: str, weights: list[float], classes: int) -> list[str]:
    """The problem of a list that has not one weight for each class; none where it has."""
    if len(weights) == classes:
        return []
    found = f"{len(weights)} weights, and there are {classes} classes, the background first"
    return [f"segmenter.{loss}.balance: {found}"]


class CrossEntropy(Section):
    balance: Balance


class Focal(Section):
    gamma: Weight  # 0: cross-entropy
    balance: Balance


class EdgeWeighted(Section):
    form: Literal["unet", "caliva", "bands"]
    w0: Weight  # of unet: between two objects that touch
    sigma: Positive  # of unet, pixels
    # [radius, weight] each: up to so many pixels from an edge, of which 0 are the edge's own
    bands: list[Annotated[list[Weight], Field(min_length=2, max_length=2)]]
    balance: Balance

    @model_validator(mode="after")
    def _bands(self) -> "EdgeWeighted":
        if bool(self.bands) != (self.form == "bands"):
            wanted = "[[radius, weight], ...]" if self.form == "bands" else "[]"
            raise ValueError(f"bands must be {wanted} for form {self.form}, found {self.bands}")
        radii = [radius for radius, _ in self.bands]
        if any(low >= high for low, high in itertools.pairwise(radii)):
            raise ValueError(f"the radii of bands must rise, found {radii}")
        return self


class Dice(Section):
    form: Literal["plain", "log", "log_cosh"]
    ce: Weight  # of the cross-entropy that is added


class Lovasz(Section):
    ce: Weight


class Semeda(Section):
    weights: Annotated[list[Weight], Field(min_length=3, max_length=3)]  # of the edge network's three layers
    steps: Count  # of the edge network's training, of 8 crops each
    lr: Positive
    noise: Weight  # standard deviation, on the logits of the labels that it learns from
    warmup: Fraction  # of the segmenter's steps, in which the term comes up

    @model_validator(mode="after")
    def _some(self) -> "Semeda":
        if not any(self.weights):
            raise ValueError("weights are all 0: leave semeda out of segmenter.terms")
        return self


class Sobel(Section):
    weight: Positive


class GatedCrf(Section):
    weight: Positive
    cell: Literal[1, 2, 4, 8]  # pixels of the side of a cell
    radius: Radius
    sigma_xy: Positive  # cells
    sigma_rgb: Positive  # grey levels


class Dfr(Section):
    weight: Positive
    feature_weight: Positive  # of what the head learns
    radius: Radius
    sigma_xy: Positive  # cells, of which the shared map has one for 4 pixels, or for the output stride
    sigma_rgb: Positive  # grey levels
    sigma_features: Positive
    channels: Count  # of the head
    confidence: Fraction  # the head learns of cells whose class is likelier


class Terms(Section):
    """The structure terms that are on: the others are not there."""

    semeda: Semeda | None = None
    sobel: Sobel | None = None
    dense_energy: DenseEnergy | None = None
    gated_crf: GatedCrf | None = None
    dfr: Dfr | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_on_or_not_there(cls, value: Any) -> Any:
        given = value if isinstance(value, dict) else {}
        if empty := [name for name, options in given.items() if options is None]:
            raise ValueError(f"{', '.join(empty)}: give its keys, or leave it out")
        return value

    def on(self) -> dict[str, Section]:
        """The options of each term that is on, by its name."""
        return {name: options for name, options in self if options is not None}
