"""Parameters of the step `seeds`."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from stages.common.params import Count, Empty, Fraction, Positive, Section

LAST_ONLY = {"cam": "grad_cam or vgatt", "minmax_cam": "minmax_grad_cam"}  # and what to use elsewhere
PIXELS_ONLY = ("gradient", "smooth_grad", "full_grad")
MAPS_ONLY = ("grad_cam_pp", "score_cam", "minmax_grad_cam", "d_minmax_grad_cam")


class ScoreCam(Section):
    weights: Literal["slide", "min_max", "softmax"]
    channels: Literal["all"] | Count  # at most so many, those of largest standard deviation

    @field_validator("channels", mode="before")
    @classmethod
    def _channels(cls, value: object) -> object:
        if value != "all" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"must be all, or a number of channels from 1 on, found {value!r}")
        return value


class SmoothGrad(Section):
    samples: Count
    noise: Fraction  # its standard deviation, of a picture's range


class Seeds(Section):
    method: Literal["cam", "grad_cam", "grad_cam_pp", "score_cam", "vgatt", "gradient", "smooth_grad",
                    "full_grad", "minmax_cam", "minmax_grad_cam", "d_minmax_grad_cam",
                    "clip_text"]  # fmt: skip
    cam: Empty | None = None  # dvc.yaml declares the chosen method's keys only
    grad_cam: Empty | None = None
    grad_cam_pp: Empty | None = None
    score_cam: ScoreCam | None = None
    vgatt: Empty | None = None
    gradient: Empty | None = None
    smooth_grad: SmoothGrad | None = None
    full_grad: Empty | None = None
    minmax_cam: Empty | None = None
    minmax_grad_cam: Empty | None = None
    d_minmax_grad_cam: Empty | None = None
    clip_text: Empty | None = None
    layer: str  # a module path of the classifier, last, or input (the pixels)
    scales: Annotated[list[Positive], Field(min_length=1)]
    flip: bool
    negatives: Literal["drop", "keep"]  # drop: ReLU at each scale (PSA, IRN); keep: signed (CHEN)
    normaliser: Literal["max", "min_max"]
    precision: Literal["fp32", "bf16"]

    @model_validator(mode="after")
    def _signs(self) -> "Seeds":
        if self.negatives == "keep" and self.normaliser == "min_max":
            raise ValueError("min_max shifts the zero, so negatives: keep needs normaliser: max")
        if self.negatives == "keep" and self.method in PIXELS_ONLY:
            raise ValueError(f"{self.method} has no negatives to keep: set negatives: drop")
        return self

    @model_validator(mode="after")
    def _layer(self) -> "Seeds":
        method, layer = self.method, self.layer
        if method in LAST_ONLY and layer != "last":
            raise ValueError(f"{method} reads the last layer, not {layer}: use {LAST_ONLY[method]} there")
        if method == "clip_text" and layer != "last":
            raise ValueError(f"clip_text reads CLIP's last block, not {layer}: set layer: last")
        if method in PIXELS_ONLY and layer != "input":
            raise ValueError(f"{method} is taken at the pixels, not at {layer}: set layer: input")
        if method in MAPS_ONLY and layer == "input":
            raise ValueError(
                f"{method} weighs the maps of a layer, not the colours of the input: set another layer"
            )
        return self
