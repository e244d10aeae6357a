"""Parameters of the step `saliency`."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from stages.common.crf_params import Crf
from stages.common.params import Empty, Fraction, Positive, Section
from stages.common.training.params import MaskedTraining
from stages.segmenter.network_params import check_network


class C2am(Section):
    """Seeds say which side is the object: where they are sure of one, and where they see none."""

    delta_foreground: Fraction  # sure: a seed is this high or higher
    delta_background: Fraction  # none: all seeds are lower

    @model_validator(mode="after")
    def _order(self) -> "C2am":
        if self.delta_background >= self.delta_foreground:
            raise ValueError("delta_background < delta_foreground must hold")
        return self


class C2amH(C2am):
    weight: Annotated[float, Field(ge=0)]  # of the hint


class Second(MaskedTraining):
    """The network that learns from the first one's maps, and the labels that these become."""

    threshold: Fraction  # an object is where the map is higher
    gt_prob: Annotated[float, Field(gt=0, lt=1)]  # of the CRF that follows
    crf: Crf
    network: Literal["deeplabv3plus", "unet"]
    options: dict[str, Any]  # of that network

    @model_validator(mode="after")
    def _fits(self) -> "Second":
        check_network(self, self.network, self.options)
        return self


class Saliency(MaskedTraining):
    of: Annotated[list[Literal["c2am", "c2am_h"]], Field(max_length=1)] | None = None  # empty: no such stage
    c2am: C2am | None = None  # dvc.yaml declares the chosen method's keys only
    c2am_h: C2amH | None = None
    # The folder of data/ whose encoder it starts from; nothing: from its own weights, encoder.weights.
    start: Literal["nothing", "classifier"]
    scales: Annotated[list[Positive], Field(min_length=1)]
    flip: bool
    refine: Literal["none", "network"]
    none: Empty | None = None  # dvc.yaml declares the chosen way's keys only
    network: Second | None = None

    @model_validator(mode="after")
    def _contrasts(self) -> "Saliency":
        if self.batch < 2:
            raise ValueError("batch: must be 2 or more, for the loss compares the pictures of a batch")
        return self
