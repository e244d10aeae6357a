"""What each network of the segmenter takes: its options, output strides and encoders; nothing is built.

Options of a network of ours have no defaults: `examples` holds the published value. Those of the library's
(segmentation_models_pytorch) are names alone; its defaults hold where one is left out.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from stages.common.params import Count, Fraction, Positive, Section
from stages.common.training.params import Training

Network = Literal["deeplabv3plus", "deeplabv3", "deeplabv2", "deeplabv1", "unet", "unetplusplus", "resunet",
                  "pspnet", "parsenet", "fpn", "linknet", "manet", "upernet", "fcn", "segnet"]  # fmt: skip

DILATED, ANY = (8, 16), (8, 16, 32)
Rate = Annotated[int, Field(ge=1, le=1024)]
Rates = Annotated[list[Rate], Field(min_length=1)]


class NoOptions(Section):
    """Of a network without options."""


class Fcn(Section):
    finest: Literal[8, 16, 32] = Field(examples=[8])  # the stride at which the last scores are added
    hidden: int = Field(ge=0, le=65536, examples=[4096])  # channels of fc6 and fc7; 0: scores at once


class ResUnet(Section):
    width: Count = Field(examples=[64])  # channels of the first level


class DeepLabV1(Section):
    rate: Rate = Field(examples=[12])  # cells between the taps of the 3x3 convolution
    width: Count = Field(examples=[1024])


class DeepLabV2(Section):
    rates: Rates = Field(examples=[[6, 12, 18, 24]])
    msc: list[float] = Field(examples=[[0.5, 0.75]])  # the picture's other scales; []: it alone

    @field_validator("msc")
    @classmethod
    def _smaller(cls, scales: list[float]) -> list[float]:
        if any(not 0.25 <= scale < 1 for scale in scales) or len(set(scales)) < len(scales):
            raise ValueError(f"msc holds different scales from 0.25 to below 1, found {scales}")
        return scales


class ParseNet(Section):
    scale: Positive = Field(examples=[10.0])  # of the normalised features, at first


class PspNet(Section):
    bins: Annotated[list[Count], Field(min_length=1)] = Field(examples=[[1, 2, 3, 6]])
    aux: Fraction = Field(examples=[0.4])  # weight of the auxiliary head's loss; 0: there is none


@dataclass(frozen=True)
class Fit:
    """What a network asks of its section. `only` and `never` are patterns of encoder.name."""

    options: type[Section] | tuple[str, ...]
    strides: tuple[int, ...] = (32,)
    only: tuple[str, ...] = ("*",)
    never: tuple[str, ...] = ()
    shared: bool = False  # whether its scores are made of one coarse map (its file has `scoring`)


DEEPLAB = ("decoder_channels", "decoder_atrous_rates", "decoder_aspp_separable", "decoder_aspp_dropout",
           "upsampling")  # fmt: skip
UNET = ("decoder_use_norm", "decoder_channels", "decoder_attention_type", "decoder_interpolation")
FPN = ("decoder_pyramid_channels", "decoder_segmentation_channels", "decoder_merge_policy",
       "decoder_dropout", "decoder_interpolation", "upsampling")  # fmt: skip
MANET = ("decoder_use_norm", "decoder_channels", "decoder_pab_channels", "decoder_interpolation")

FITS: dict[str, Fit] = {
    "deeplabv3plus": Fit(DEEPLAB, DILATED, shared=True),
    "deeplabv3": Fit(DEEPLAB, DILATED, shared=True),
    "deeplabv2": Fit(DeepLabV2, DILATED),
    "deeplabv1": Fit(DeepLabV1, DILATED),
    "unet": Fit(UNET),
    "unetplusplus": Fit(UNET, never=("mit_b*", "tu-swin*")),  # these have no level 1
    "resunet": Fit(ResUnet, (8,), only=("resunet",)),
    "pspnet": Fit(PspNet, DILATED, shared=True),
    "parsenet": Fit(ParseNet, ANY, shared=True),
    "fpn": Fit(FPN, shared=True),
    "linknet": Fit(("decoder_use_norm",), never=("mit_b*",)),
    "manet": Fit(MANET),
    "upernet": Fit(("decoder_channels", "decoder_use_norm", "upsampling"), shared=True),
    "fcn": Fit(Fcn),
    "segnet": Fit(NoOptions, only=("small_pool", "vgg??_bn")),
}


# Networks that read the last features alone, which a plain vision transformer has as others do.
ON_TOKENS = ("deeplabv1", "deeplabv2", "parsenet")


def check_network(training: Training, network: str, options: dict[str, Any]) -> None:
    """ValueError for a training that the network does not allow: one line, what to change."""
    fit, encoder, crop = FITS[network], training.encoder, training.augment.crop
    if encoder.name == "vgg19_chen":
        raise ValueError("encoder vgg19_chen is for the classifier: use vgg16_deeplab, vgg19 or another")
    if not _matches(encoder.name, fit.only) or _matches(encoder.name, fit.never):
        allowed = " or ".join(fit.only) if fit.only != ("*",) else f"any but {', '.join(fit.never)}"
        raise ValueError(f"network {network} needs encoder.name {allowed}, found {encoder.name}")
    if encoder.patch() and network not in ON_TOKENS:
        raise ValueError(
            f"network {network} needs levels of several strides, and encoder {encoder.name} has one: take "
            f"{', '.join(ON_TOKENS)}, or another encoder"
        )
    if network == "resunet" and encoder.weights.source != "none":
        raise ValueError("network resunet has no initial weights: encoder.weights.source must be none")
    if encoder.output_stride not in fit.strides:
        strides = " or ".join(map(str, fit.strides))
        raise ValueError(f"network {network} needs encoder.output_stride {strides}")
    check_options(network, options)
    if crop % 32:
        raise ValueError("the network halves the crop five times: augment.crop must be a multiple of 32")
    _check_grid(options, crop // encoder.output_stride)
    if training.batch < 2 and normalises_pooled(network, options):
        raise ValueError(f"network {network} normalises over the batch: batch must be 2 or more")


def check_terms(network: str, terms: Iterable[str]) -> None:
    """ValueError for a term that this network's scores cannot have."""
    if "dfr" in terms and not FITS[network].shared:
        fit = ", ".join(name for name, fit in FITS.items() if fit.shared)
        raise ValueError(
            f"terms.dfr: the scores of network {network} are of no one coarse map, on which its head could "
            f"stand: take {fit}, or the term gated_crf, which has no head"
        )


def check_options(network: str, options: dict[str, Any], section: str = "") -> None:
    """ValueError for what the network does not take; `section` is that of params.yaml, with a point."""
    for key, value in options.items():
        numbers = value if isinstance(value, list) else [value]
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            raise ValueError(f"{section}options.{key}: must be finite, found {value}")
    known = FITS[network].options
    names = known if isinstance(known, tuple) else known.model_fields
    where = f"{section}options"
    for key in options:
        if key not in names:
            raise ValueError(f"{where}: {network} takes no {key}; it takes {', '.join(names) or 'none'}")
    if isinstance(known, tuple):
        return
    if missing := [key for key in names if key not in options]:
        shown = ", ".join(f"{key}: {value}" for key, value in published(network).items())
        raise ValueError(f"{where}: {', '.join(missing)} missing; {network} as published: {{{shown}}}")
    try:
        known.model_validate(options)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"]))
        raise ValueError(f"{where}.{key}: {problem['msg']}, found {problem['input']!r}") from None


def published(network: str) -> dict[str, Any]:
    """The options of the document; {} of a network of the library, whose defaults they are."""
    known = FITS[network].options
    fields = {} if isinstance(known, tuple) else known.model_fields
    return {key: field.examples[0] for key, field in fields.items() if field.examples}


def normalises_pooled(network: str, options: dict[str, Any]) -> bool:
    """Whether batch norm sees features pooled to one cell, and so one value for each picture."""
    pools = 1 in options.get("bins", []) if network == "pspnet" else False
    return pools or network in ("deeplabv3", "deeplabv3plus", "upernet")


def _check_grid(options: dict[str, Any], cells: int) -> None:
    """A convolution whose rate is the grid's side sees padding alone beside its centre."""
    rates = [*options.get("rates", []), *_list(options.get("decoder_atrous_rates")), options.get("rate", 0)]
    if (largest := max(rates, default=0)) >= cells:
        raise ValueError(
            f"options: rate {largest} must be below {cells}, the cells of a crop's side (augment.crop / "
            "encoder.output_stride): at a larger one only the middle of the kernel sees the picture"
        )
    if (largest := max(options.get("bins", [0]))) > cells:
        raise ValueError(
            f"options.bins: {largest} must not be above {cells}, the cells of a crop's side "
            "(augment.crop / encoder.output_stride)"
        )


def _list(value: Any) -> list[int]:
    """The library's options are checked by the library."""
    return [rate for rate in value if isinstance(rate, int)] if isinstance(value, list) else []


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
