"""Parameters of the step `affinity_labels`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.common.crf_params import Crf
from stages.common.params import Fraction, Positive, Section


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


class AffinityLabels(Section):
    of: Annotated[list[Literal["seeds"]], Field(max_length=1)] | None = None  # empty: no such stage
    hints: Literal["nothing", "saliency"]  # the folder of data/ that tells object from ground
    method: Literal["psa", "irn", "saliency"]
    psa: Psa | None = None  # dvc.yaml declares the chosen method's keys only
    irn: Irn | None = None
    saliency: Saliency | None = None
    crf: Crf
