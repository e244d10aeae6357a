"""Parameters of the step `seeds`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.common.params import Empty, Positive, Section


class Seeds(Section):
    method: Literal["cam", "grad_cam", "vgatt"]
    cam: Empty | None = None  # dvc.yaml declares the chosen method's keys only
    grad_cam: Empty | None = None
    vgatt: Empty | None = None
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
        if self.method == "cam" and self.layer != "last":
            raise ValueError(f"cam reads the last layer, not {self.layer}: use grad_cam or vgatt there")
        return self
