"""Parameters that the three training steps share (types, choices and ranges only)."""

import os
import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from stages.common.params import Count, Fraction, Positive, Section, Seed

STRIDE_8 = ("vgg16_deeplab", "vgg19_chen")  # encoders that are built so
# Beginnings of the encoders that pool or merge cells where others stride, which no dilation replaces.
NOT_DILATED = ("small_pool", "vgg", "densenet", "inception", "xception", "mit_b", "tu-swin")
SMALL_VIT = "small_vit"  # of stages/common/networks/plain_vit.py, with patches of 8 pixels
# Of timm's networks those that are plain vision transformers with learnt positions, and the side of a patch.
PLAIN_VIT = re.compile(
    r"tu-(?:vit|deit3?)_(?!dlittle|dpwee|dwee|pwee)[a-z0-9]+(?:_distilled)?_patch(\d+)"
    r"(?:_(?:clip|quickgelu|siglip|dinov2|tipsv2|plus|gap|map|reg\d|36x1|\d+|miil))*(?:\.\w+)?"
)

CLIP = "clip-"  # begins the names of open_clip's networks, which have texts beside the encoder

Range = Annotated[list[Positive], Field(min_length=2, max_length=2)]
Channels = Annotated[list[float], Field(min_length=3, max_length=3)]


class Weights(Section):
    """Initial weights of an encoder."""

    source: Literal["none", "library", "file"]
    name: str  # library: a name such as imagenet; file: its name in the folder WSSS_WEIGHTS
    sha256: str  # of the file

    @model_validator(mode="after")
    def _named(self) -> "Weights":
        if self.source != "none" and not self.name:
            raise ValueError(f"source {self.source} needs a name")
        if self.source == "file" and not re.fullmatch("[0-9a-fA-F]{64}", self.sha256):
            raise ValueError("source file needs the file's sha256 (64 hexadecimal digits)")
        return self


class Encoder(Section):
    name: str  # one of stages/common/networks, or a name of segmentation_models_pytorch / timm (tu-...)
    output_stride: Literal[8, 14, 16, 32]  # 14: of vision transformers with such patches
    weights: Weights
    mean: Channels  # of RGB in 0..1
    std: Annotated[list[Positive], Field(min_length=3, max_length=3)]
    freeze: list[str]  # names of first blocks (module paths of the encoder) that do not train
    batch_norm: Literal["train", "frozen"]

    @model_validator(mode="after")
    def _pinned(self) -> "Encoder":
        if set(self.name) & set(":/\\"):  # timm's tu-hf-hub:NAME, tu-local-dir:PATH
            raise ValueError(
                f"encoder {self.name!r} comes from a hub or a folder, which nothing pins: take a name of the "
                "library (tu-NAME), and its weights from a file (weights: source file, with its sha256)"
            )
        return self

    def patch(self) -> int:
        """The side of a plain vision transformer's patches in pixels; 0 of another encoder."""
        if self.name == SMALL_VIT:
            return 8
        found = PLAIN_VIT.fullmatch(self.name)
        return int(found[1]) if found else 0

    @model_validator(mode="after")
    def _patches(self) -> "Encoder":
        patch = self.patch()
        if not patch and self.name.startswith(("tu-vit_", "tu-deit")):
            raise ValueError(
                f"encoder {self.name} is no plain vision transformer, with learnt positions and patches of "
                "the picture itself: take, say, tu-vit_tiny_patch16_224, or a deit or deit3"
            )
        if patch and self.output_stride != patch:
            raise ValueError(f"encoder {self.name} has output_stride {patch}, the side of its patches")
        if not patch and self.output_stride == 14 and not self.name.startswith(CLIP):
            raise ValueError(f"encoder {self.name} has output_stride 8, 16 or 32")
        return self

    @model_validator(mode="after")
    def _strides(self) -> "Encoder":
        if self.name in STRIDE_8:
            if self.output_stride != 8:
                raise ValueError(f"encoder {self.name} has output_stride 8")
        elif self.name.startswith(NOT_DILATED) and self.output_stride != 32:
            raise ValueError(f"encoder {self.name} has output_stride 32: it cannot be dilated")
        if self.name.startswith("efficientnet-b") and self.output_stride != 32:
            raise ValueError(
                f"encoder {self.name} dilates wrongly: take timm-{self.name} or output_stride 32"
            )
        return self


class Optimizer(Section):
    name: Literal["sgd", "adamw"]
    lr: Positive
    momentum: Fraction  # of SGD, honestly: what PSA's PolyOptimizer calls momentum is the power
    weight_decay: Annotated[float, Field(ge=0)]
    decay_bias: bool
    poly_power: Annotated[float, Field(ge=0)]  # lr * (1 - step / steps) ** power
    warmup: Fraction  # of the steps, linear
    head_multiple: Positive  # learning rate of new layers against the encoder's
    bias_multiple: Positive  # of biases against weights

    @model_validator(mode="after")
    def _warmup(self) -> "Optimizer":
        if 0 < self.warmup < 0.01:
            raise ValueError("warmup is 0 or a share of the steps from 0.01 on")
        return self


class RandAugment(Section):
    n: Annotated[int, Field(ge=1, le=14)]  # operations, each of which is left out with probability 0.5
    m: Annotated[int, Field(ge=2, le=11)]  # their level is drawn from 1 to m - 1, of 10


class Augment(Section):
    longest_side: Range | None  # resized so that the longest side is in this range, or
    scale: Range | None  # by a factor in this range; both null: not resized
    crop: Annotated[int, Field(ge=16, le=8192)]
    flip: Fraction  # probability
    jitter: Annotated[
        list[Fraction], Field(min_length=4, max_length=4)
    ]  # brightness, contrast, saturation, hue
    rand_augment: RandAugment | None

    @model_validator(mode="after")
    def _one_resize(self) -> "Augment":
        if self.longest_side is not None and self.scale is not None:
            raise ValueError("give longest_side or scale, not both")
        for span in (self.longest_side, self.scale):
            if span is not None and span[0] > span[1]:
                raise ValueError(f"a range is [smallest, largest], found {span}")
        return self


class Training(Section):
    """What every training has."""

    on_tokens: ClassVar[bool] = False  # whether its network works on a plain vision transformer
    encoder: Encoder
    optimizer: Optimizer
    augment: Augment
    batch: Count
    epochs: Count
    precision: Literal["fp32", "bf16", "fp16"]
    threads: Count  # of a CPU; another number gives other weights
    seed: Seed

    @model_validator(mode="after")
    def _levels(self) -> "Training":
        if self.encoder.patch() and not self.on_tokens:
            raise ValueError(
                f"encoder.name: must not be {self.encoder.name}: levels of several strides are needed, "
                "and a plain vision transformer has one"
            )
        return self

    def one_cell(self) -> bool:
        """Whether the encoder's last features are one cell, so that batch norm sees a value a picture."""
        return self.augment.crop <= self.encoder.output_stride and self.encoder.batch_norm == "train"


class MaskedTraining(Training):
    """A training on masks, which must lie where the picture's things are."""

    @model_validator(mode="after")
    def _aligned(self) -> "MaskedTraining":
        if self.augment.rand_augment is not None:
            raise ValueError("augment.rand_augment must be null: it moves the picture and not its mask")
        return self


def under_torchrun() -> bool:
    """Whether torchrun started this process, as one of several that train one set of weights."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def devices_asked() -> int:
    """WSSS_DEVICES as it is written, 1 if not set; whether they are there is not looked at.

    Under torchrun, the number of its processes on all hosts.
    """
    if under_torchrun():
        return int(os.environ["WORLD_SIZE"])
    asked = os.environ.get("WSSS_DEVICES") or "1"
    if not asked.isdigit() or int(asked) < 1:
        raise ValueError(f"WSSS_DEVICES={asked}: give a number of devices, 1 or more")
    return int(asked)
