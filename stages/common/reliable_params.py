"""Parameters of reliable regions (types, choices and ranges only)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.common.crf_params import Crf
from stages.common.params import Fraction, Positive, Section

Share = Annotated[float, Field(gt=0, le=1)]


class TwoAlphas(Section):
    alpha_foreground: Positive  # much background, so what a CRF leaves is foreground
    alpha_background: Positive  # little background; that of the maps' own labels too
    probability: Fraction  # the least of a CRF's label, and more than that of the background's score

    @model_validator(mode="after")
    def _order(self) -> "TwoAlphas":
        if self.alpha_foreground >= self.alpha_background:
            raise ValueError("alpha_foreground < alpha_background must hold")
        return self


class OneAlpha(Section):
    alpha: Positive


class Reliable(Section):
    rule: Literal["two_alphas", "agreement", "cam"]
    two_alphas: TwoAlphas | None = None  # dvc.yaml declares the chosen rule's keys only
    agreement: OneAlpha | None = None
    cam: OneAlpha | None = None
    share: Share  # of each class's pixels: those where its map is highest
    floor: Fraction  # where a map is no higher, its class is not counted on
    crf: Crf

    @model_validator(mode="after")
    def _chosen(self) -> "Reliable":
        if getattr(self, self.rule) is None:
            raise ValueError(f"{self.rule}: missing, and rule chooses it")
        return self
