"""Parameters of the step `segmenter`."""

import math
from typing import Any, Literal

from pydantic import model_validator

from stages.common.params import Empty
from stages.common.training.params import MaskedTraining


class Segmenter(MaskedTraining):
    # The folder of data/ whose masks it learns from. The ceiling learns from the truth, and does not see it.
    labels: Literal["pseudo_labels", "affinity_labels/crf"] | None = None
    loss: Literal["cross_entropy"]
    cross_entropy: Empty | None = None  # dvc.yaml declares the chosen loss's keys only
    network: Literal["deeplabv3plus", "deeplabv3", "unet", "unetplusplus", "pspnet", "fpn", "linknet",
                     "manet", "upernet"]  # fmt: skip
    options: dict[str, Any]  # of that network, e.g. decoder_channels

    @model_validator(mode="after")
    def _fits(self) -> "Segmenter":
        dilated = self.network.startswith("deeplab")
        if dilated == (self.encoder.output_stride == 32):
            allowed = "8 or 16" if dilated else "32"
            raise ValueError(f"network {self.network} needs encoder.output_stride {allowed}")
        if self.batch < 2 and self.normalises_pooled():
            raise ValueError(f"network {self.network} normalises over the batch: batch must be 2 or more")
        for key, value in self.options.items():
            numbers = value if isinstance(value, list) else [value]
            if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
                raise ValueError(f"options.{key}: must be finite, found {value}")
        if self.encoder.name == "vgg19_chen":
            raise ValueError("encoder vgg19_chen is for the classifier: use vgg19 or another")
        if self.augment.crop % 32:
            raise ValueError("the network halves the crop five times: augment.crop must be a multiple of 32")
        return self

    def normalises_pooled(self) -> bool:
        """Whether batch norm sees features pooled to one cell, and so one value for each picture."""
        return self.network.startswith("deeplab") or self.network == "upernet"
