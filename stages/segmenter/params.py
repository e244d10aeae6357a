"""Parameters of the step `segmenter`."""

import math
from typing import Any, Literal

from pydantic import model_validator

from stages.common.params import Empty
from stages.common.training.params import MaskedTraining, Training


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
        check_network(self, self.network, self.options)
        return self

    def normalises_pooled(self) -> bool:
        """Whether batch norm sees features pooled to one cell, and so one value for each picture."""
        return normalises_pooled(self.network)


def normalises_pooled(network: str) -> bool:
    return network.startswith("deeplab") or network == "upernet"


def check_network(training: Training, network: str, options: dict[str, Any]) -> None:
    """ValueError for a training that the network of the library does not allow."""
    dilated = network.startswith("deeplab")
    if dilated == (training.encoder.output_stride == 32):
        allowed = "8 or 16" if dilated else "32"
        raise ValueError(f"network {network} needs encoder.output_stride {allowed}")
    if training.batch < 2 and normalises_pooled(network):
        raise ValueError(f"network {network} normalises over the batch: batch must be 2 or more")
    for key, value in options.items():
        numbers = value if isinstance(value, list) else [value]
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            raise ValueError(f"options.{key}: must be finite, found {value}")
    if training.encoder.name == "vgg19_chen":
        raise ValueError("encoder vgg19_chen is for the classifier: use vgg19 or another")
    if training.augment.crop % 32:
        raise ValueError("the network halves the crop five times: augment.crop must be a multiple of 32")
