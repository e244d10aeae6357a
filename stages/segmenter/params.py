"""Parameters of the step `segmenter`."""

from typing import Annotated, Any

from pydantic import Field

from stages.common.training_params import Training


class Segmenter(Training):
    network: Annotated[str, Field(pattern=r"^[a-z0-9+]+$")]  # of segmentation_models_pytorch
    options: dict[str, Any]  # of that network, e.g. decoder_channels
