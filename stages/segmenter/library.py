"""Segmentation networks of segmentation_models_pytorch on any of our encoders."""

from typing import Any

import segmentation_models_pytorch as smp
from torch import nn

from stages.common.networks import encoders
from stages.common.training.params import Encoder
from stages.segmenter.network_params import check_options

RATES = {16: [6, 12, 18], 8: [12, 24, 36]}  # of ASPP, by output stride (DeepLab v3); the library has one


def build(
    name: str, encoder: Encoder, classes: int, options: dict[str, Any], section: str = "segmenter"
) -> nn.Module:
    """The library's network `name`, as a section of params.yaml asks for it.

    Raises ValueError for an option that it does not take.
    """
    check_options(name, options, f"{section}.")  # the library swallows names that it does not know
    library = encoder.weights.name if encoder.weights.source == "library" else None
    stride = {"encoder_output_stride": encoder.output_stride} if name.startswith("deeplab") else {}
    own = stride | encoders.any_size(encoder.name)
    try:
        model = smp.create_model(name, encoder.name, library, classes=classes, **own, **options)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{section}: network {name}, encoder {encoder.name}, {options}: {error}") from error
    encoders.align_dilation(model.encoder, encoder.output_stride)
    encoders.load_weights(model.encoder, encoder.weights)
    return model


def with_rates(encoder: Encoder, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a DeepLab with the atrous rates of the output stride, unless they name their own."""
    return {"decoder_atrous_rates": RATES[encoder.output_stride], **options}


def scoring(model: nn.Module) -> nn.Conv2d:
    """The layer that makes the scores of what the decoder gives."""
    layer: nn.Conv2d = model.segmentation_head[0]  # type: ignore[index, assignment]
    return layer
