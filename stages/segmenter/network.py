"""Segmentation networks of segmentation_models_pytorch by name, on any of our encoders."""

import inspect

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common import encoders
from stages.common.training.params import Encoder

DILATED = ("deeplabv3", "deeplabv3plus")  # the networks that take an output stride
DIVISOR = 32  # sides that every network accepts


def build_segmenter(network: str, encoder: Encoder, classes: int, options: dict) -> nn.Module:
    """Scores [B, classes, H, W] of pictures [B, 3, H, W] with sides that DIVISOR divides.

    `classes` counts the background. Raises ValueError for an option that the network does not take.
    """
    name = network.replace("+", "plus")
    stride = {"encoder_output_stride": encoder.output_stride} if name in DILATED else {}
    _check_options(name, options)
    library = encoder.weights.name if encoder.weights.source == "library" else None
    try:
        model = smp.create_model(name, encoder.name, library, classes=classes, **stride, **options)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"segmenter: network {network}, encoder {encoder.name}, {options}: {error}"
        ) from error
    encoders.load_weights(model.encoder, encoder.weights)
    return model


def _check_options(network: str, options: dict) -> None:
    """The library swallows names that it does not know; we do not."""
    known = list(inspect.signature(smp.MODEL_ARCHITECTURES_MAPPING[network].__init__).parameters)
    allowed = [
        key
        for key in known
        if key.startswith("decoder") or key in ("upsampling", "psp_dropout", "psp_out_channels")
    ]
    for key in options:
        if key not in allowed:
            raise ValueError(f"segmenter.options: {network} takes no {key}; it takes {', '.join(allowed)}")


def rebuild_segmenter(config: dict) -> nn.Module:
    """The network of a saved config.json, without weights (they are loaded next)."""
    params = Encoder.model_validate(config["encoder"])
    bare = params.model_copy(update={"weights": params.weights.model_copy(update={"source": "none"})})
    with torch.random.fork_rng(devices=[]):
        return build_segmenter(config["network"], bare, len(config["classes"]), config["options"])


def scores(model: nn.Module, pictures: Tensor) -> Tensor:
    """Scores [B, classes, H, W] of pictures of any size: padded to the divisor, cut back."""
    height, width = pictures.shape[2:]
    padded = F.pad(pictures, (0, -width % DIVISOR, 0, -height % DIVISOR))
    return model(padded)[:, :, :height, :width]
