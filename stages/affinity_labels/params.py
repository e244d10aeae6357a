"""Parameters of the step `affinity_labels`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.common.crf_params import Crf
from stages.common.params import Count, Fraction, Positive, Section
from stages.common.reliable_params import Share, TwoAlphas


class Psa(Section):
    """Background (1 - max)^alpha (PSA): a small alpha is much background."""

    alpha_foreground: Positive  # confident foreground: much background (4)
    alpha_plain: Positive  # of the plain CRF labels
    alpha_background: Positive  # confident background: little background (24, 32)

    @model_validator(mode="after")
    def _order(self) -> "Psa":
        if not self.alpha_foreground <= self.alpha_plain <= self.alpha_background:
            raise ValueError("alpha_foreground <= alpha_plain <= alpha_background must hold")
        return self


class Irn(Section):
    """Background a constant threshold, unary from labels (IRN)."""

    threshold_foreground: Fraction  # confident foreground (0.30)
    threshold_plain: Fraction
    threshold_background: Fraction  # confident background (0.05)
    gt_prob: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="after")
    def _order(self) -> "Irn":
        if not self.threshold_background <= self.threshold_plain <= self.threshold_foreground:
            raise ValueError("threshold_background <= threshold_plain <= threshold_foreground must hold")
        return self


class Saliency(Section):
    """Object and ground from saliency maps, the classes from the seeds (P-NOC)."""

    threshold_saliency: Fraction
    threshold_seeds: Fraction
    gt_prob: Annotated[float, Field(gt=0, lt=1)]


class GrabCut(Section):
    """The object in a box."""

    iterations: Annotated[int, Field(ge=1, le=100)]
    min_share: Fraction  # of the box: where less is found, it is all of the box


class Superpixels(Section):
    """SLIC: what strokes and points grow to."""

    segments: Count  # of a picture, about
    compactness: Positive  # more: squares, whatever the colours
    sigma: Annotated[float, Field(ge=0)]  # pixels, of a blur before


class Confident(TwoAlphas):
    """The reliable regions of the seeds, and what people drew (ZHANG's chapter 3)."""

    alpha_plain: Positive  # of the plain CRF labels, which say where the seeds lack a box's class
    share: Share  # of each class's pixels: those where its map is highest
    floor: Fraction  # where a map is no higher, its class is not counted on
    grabcut: GrabCut
    superpixels: Superpixels

    @model_validator(mode="after")
    def _plain_between(self) -> "Confident":
        if not self.alpha_foreground <= self.alpha_plain <= self.alpha_background:
            raise ValueError("alpha_foreground <= alpha_plain <= alpha_background must hold")
        return self


class AffinityLabels(Section):
    of: Annotated[list[Literal["seeds", "cues"]], Field(max_length=1)] | None = None  # empty: no such stage
    # The folder of data/ that a method reads beside the seeds: object and ground, or what people drew.
    hints: Literal["nothing", "saliency", "annotations"]
    method: Literal["psa", "irn", "saliency", "confident"]
    psa: Psa | None = None  # dvc.yaml declares the chosen method's keys only
    irn: Irn | None = None
    saliency: Saliency | None = None
    confident: Confident | None = None
    crf: Crf
