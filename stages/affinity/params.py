"""Parameters of the step `affinity`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from stages.common.params import Count, Empty, Positive, Section
from stages.common.training.params import MaskedTraining

SOURCES = {  # by method, the folders of data/ of which one is `of`
    "affinity_net": ("affinity_labels",),
    "class_distribution": ("classifier",),
    "attention": ("classifier", "dataset"),
    "tokens": ("classifier", "dataset"),
}
ON_TOKENS = ("attention", "tokens")  # of a plain vision transformer: the classifier's, or a frozen one


class Regularised(Section):
    """ZHANG 3.12."""

    weight: Annotated[float, Field(ge=0)]  # 0: without
    sigma_xy: Positive  # cells
    sigma_rgb: Positive  # grey values
    radius: Annotated[int, Field(ge=1, le=10)]  # cells, of a square


class ClassDistribution(Section):
    temperature: Positive  # of the softmax over the classes: lower makes cells of two classes more unlike
    background: float | None  # the background's score beside those of the classes; null: it is no class


class Attention(Section):
    blocks: Count  # the last ones, whose mean it is
    sinkhorn: Annotated[int, Field(ge=0, le=100)]  # times that columns, then rows are divided by their sums
    keep: bool  # whether data/affinity/attention holds the mean itself: n x n for n patches


class Tokens(Section):
    level: Annotated[int, Field(ge=1, le=4)]  # after a quarter, a half, three quarters or all of the blocks


class Affinity(MaskedTraining):
    """How affinities are found; the keys of a training and of its network are affinity_net's."""

    on_tokens = True
    of: Annotated[
        list[Literal["affinity_labels", "classifier", "dataset"]], Field(max_length=1)
    ]  # what they are made of; empty: no such stage
    method: Literal["affinity_net", "class_distribution", "attention", "tokens"]
    affinity_net: Empty | None = None  # dvc.yaml declares the chosen method's keys only
    class_distribution: ClassDistribution | None = None
    attention: Attention | None = None
    tokens: Tokens | None = None
    levels: Annotated[list[Annotated[int, Field(ge=1, le=5)]], Field(min_length=1)]  # encoder blocks
    channels: Annotated[list[Count], Field(min_length=1)]  # of each level's 1x1 convolution
    grid_stride: Literal[2, 4, 8, 16]  # pixels of the picture per cell of the affinity grid
    radius: Annotated[int, Field(ge=2, le=10)]  # cells
    regularised: Regularised

    @model_validator(mode="after")
    def _paired(self) -> "Affinity":
        if len(self.levels) != len(self.channels):
            raise ValueError("levels and channels need one entry each per level")
        if self.method == "affinity_net" and self.encoder.patch() and max(self.levels) > 4:
            raise ValueError(f"levels: must be at most 4, the levels of encoder {self.encoder.name}")
        return self

    @model_validator(mode="after")
    def _source(self) -> "Affinity":
        fits = SOURCES[self.method]
        if self.of and self.of[0] not in fits:
            allowed = " or ".join(f"[{name}]" for name in fits)
            raise ValueError(f"of: must be {allowed} for method {self.method}, found [{self.of[0]}]")
        return self

    def trains(self) -> bool:
        return bool(self.of) and self.method == "affinity_net"

    def builds(self) -> bool:
        """Whether `encoder` is built: the one of AffinityNet, or a frozen one."""
        return self.trains() or self.of == ["dataset"]

    def together(self, p: Any) -> list[str]:
        """Patches are of a vision transformer that was trained, here or elsewhere; CLIP has no class maps."""
        frozen, clip = self.of == ["dataset"], p.classifier.method == "clip_text"
        encoder, where = (self.encoder, "affinity") if frozen else (p.classifier.encoder, "classifier")
        asks = bool(self.of) and self.method in ON_TOKENS
        fits = bool(encoder.patch()) or (clip and not frozen and self.method == "attention")
        checks = [
            (bool(self.of) and clip and self.method == "class_distribution",
             "affinity.method: must not be class_distribution for classifier.method clip_text, which has no "
             "class maps"),
            (asks and not fits,
             f"{where}.encoder.name: must be a plain vision transformer (tu-vit_..., small_vit), for "
             f"affinity.method {self.method} reads its patches, found {encoder.name!r}"),
            (asks and frozen and encoder.weights.source == "none",
             "affinity.encoder.weights.source: must be file or library for affinity.of [dataset], for "
             "nothing is trained, and random weights say nothing"),
        ]  # fmt: skip
        return [problem for wrong, problem in checks if wrong]


def trains(section: Mapping[str, Any]) -> bool:
    """Whether the section `affinity` of some params.yaml, be it an older one, trains a network."""
    return section.get("method", "affinity_net") == "affinity_net"
