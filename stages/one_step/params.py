"""Parameters of the step `one_step`."""

from typing import Annotated, Literal

from pydantic import Field

from stages.common.dense_energy_params import DenseEnergy
from stages.common.params import Count, Fraction, Positive, Section
from stages.common.reliable_params import Reliable
from stages.common.training.params import MaskedTraining, Optimizer

Weight = Annotated[float, Field(ge=0)]  # of a loss; 0: it is not there


class Classification(Section):
    """The first training, of the image labels alone."""

    optimizer: Optimizer
    epochs: Count


class Heads(Section):
    local: Count  # channels of the local branch
    attention_width: Count  # channels of each of the attention's three maps
    dilation: Count  # of the local branch
    attention: Literal["plain", "reweighted"]


class Labels(Reliable):
    scales: Annotated[list[Positive], Field(min_length=1)]  # of the maps


class Energy(DenseEnergy):
    weight: Weight


class Distance(Section):
    weight: Weight
    between: Fraction  # of centres of classes, and of these and of the background, against what is within


class OneStep(MaskedTraining):
    """The second training, of everything, as a training of the recipe; and what is of it alone."""

    of: Annotated[list[Literal["rrm"]], Field(max_length=1)] | None = None  # empty: no such stage
    classification: Classification
    heads: Heads
    labels: Labels
    energy: Energy
    distance: Distance
