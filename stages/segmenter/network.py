"""Segmentation networks of segmentation_models_pytorch by name, on any of our encoders."""

import inspect

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.networks import encoders
from stages.common.training.params import Encoder
from stages.segmenter.params import Segmenter

DILATED = ("deeplabv3", "deeplabv3plus")  # the networks that take an output stride
RATES = {16: [6, 12, 18], 8: [12, 24, 36]}  # of ASPP, by output stride (DeepLab v3); the library has one
DIVISOR = 32  # sides that every network accepts


def build_segmenter(network: str, encoder: Encoder, classes: int, options: dict) -> nn.Module:
    """Scores [B, classes, H, W] of pictures [B, 3, H, W] with sides that DIVISOR divides.

    `classes` counts the background. Raises ValueError for an option that the network does not take.
    """
    name = library_name(network)
    stride = {"encoder_output_stride": encoder.output_stride} if name in DILATED else {}
    options = with_rates(network, encoder, options)
    _check_options(name, options)
    library = encoder.weights.name if encoder.weights.source == "library" else None
    try:
        model = smp.create_model(name, encoder.name, library, classes=classes, **stride, **options)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"segmenter: network {network}, encoder {encoder.name}, {options}: {error}"
        ) from error
    encoders.align_dilation(model.encoder, encoder.output_stride)
    encoders.load_weights(model.encoder, encoder.weights)
    return model


def library_name(network: str) -> str:
    return network.replace("+", "plus")


def with_rates(network: str, encoder: Encoder, options: dict) -> dict:
    """The options with the atrous rates of the output stride, unless they name their own."""
    if library_name(network) not in DILATED:
        return options
    return {"decoder_atrous_rates": RATES[encoder.output_stride], **options}


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


def saved_config(params: Segmenter, classes: tuple[str, ...]) -> dict:
    """What config.json holds of a network: the rates are written out, so a new default changes no old one."""
    config = {"classes": list(classes), **params.model_dump(include={"network", "options", "encoder"})}
    return {**config, "options": with_rates(params.network, params.encoder, params.options)}


def rebuild_segmenter(config: dict) -> nn.Module:
    """The network of a saved config.json, without weights (they are loaded next).

    Raises ValueError for a DeepLab that was saved before its rates were: its encoder was dilated otherwise.
    """
    if library_name(config["network"]) in DILATED and "decoder_atrous_rates" not in config["options"]:
        raise ValueError(
            f"the saved {config['network']} is of an older version, which dilated its encoder wrongly: "
            "its weights fit no network of this one; `wsss run` trains it again"
        )
    params = Encoder.model_validate(config["encoder"])
    bare = params.model_copy(update={"weights": params.weights.model_copy(update={"source": "none"})})
    with torch.random.fork_rng(devices=[]):
        return build_segmenter(config["network"], bare, len(config["classes"]), config["options"])


def scores(model: nn.Module, pictures: Tensor) -> Tensor:
    """Scores [B, classes, H, W] of pictures of any size: padded to the divisor, cut back."""
    height, width = pictures.shape[2:]
    padded = F.pad(pictures, (0, -width % DIVISOR, 0, -height % DIVISOR))
    return model(padded)[:, :, :height, :width]
