"""Parameters of the step `saliency`."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from stages.common.crf_params import Crf
from stages.common.params import Empty, Fraction, Given, Positive, Section
from stages.common.training.params import MaskedTraining
from stages.segmenter.network_params import check_network

Method = Literal["c2am", "c2am_h", "folder"]
UNTRAINED = "folder"  # the one that trains no network
MAP_SUFFIXES = (".png", ".jpg", ".jpeg", ".npy", ".npz")  # of the files that it reads
START = ("name", "mean", "std")  # of an encoder: what its weights go with


class C2am(Section):
    """Seeds say which side is the object: where they are sure of one, and where they see none."""

    delta_foreground: Fraction  # sure: a seed is this high or higher
    delta_background: Fraction  # none: all seeds are lower

    @model_validator(mode="after")
    def _order(self) -> "C2am":
        if self.delta_background >= self.delta_foreground:
            raise ValueError("delta_background < delta_foreground must hold")
        return self


class C2amH(C2am):
    weight: Annotated[float, Field(ge=0)]  # of the hint


class Folder(Section):
    """Maps that somebody made."""

    invert: bool  # they are white where the ground is


class Second(MaskedTraining):
    """The network that learns from the first one's maps, and the labels that these become."""

    threshold: Fraction  # an object is where the map is higher
    gt_prob: Annotated[float, Field(gt=0, lt=1)]  # of the CRF that follows
    crf: Crf
    network: Literal["deeplabv3plus", "unet"]
    options: dict[str, Any]  # of that network

    @model_validator(mode="after")
    def _fits(self) -> "Second":
        check_network(self, self.network, self.options)
        return self


class Saliency(MaskedTraining):
    of: Annotated[list[Method], Field(max_length=1)] | None = None  # empty: no such stage
    c2am: C2am | None = None  # dvc.yaml declares the chosen method's keys only
    c2am_h: C2amH | None = None
    folder: Folder | None = None
    maps: Given  # where those of `folder` lie
    # The folder of data/ whose encoder it starts from; nothing: from its own weights, encoder.weights.
    start: Literal["nothing", "classifier"]
    scales: Annotated[list[Positive], Field(min_length=1)]
    flip: bool
    refine: Literal["none", "network"]
    none: Empty | None = None  # dvc.yaml declares the chosen way's keys only
    network: Second | None = None

    @model_validator(mode="after")
    def _contrasts(self) -> "Saliency":
        if self.batch < 2:
            raise ValueError("batch: must be 2 or more, for the loss compares the pictures of a batch")
        return self

    def together(self, recipe: Any) -> list[str]:
        """The maps are made where something reads them, with the keys of what is chosen."""
        labels, rungs = recipe.affinity_labels, recipe.evaluation.rungs or {}
        hinted, method, made = labels.hints == "saliency", labels.method == "saliency", bool(self.of)
        readers = [f"evaluation.rungs.{name}" for name, folder in rungs.items() if folder == "saliency"]
        readers = ["cues.saliency"] * (recipe.cues.saliency == "saliency" and bool(recipe.cues.of)) + readers
        readers = ["affinity_labels.hints"] * (hinted and bool(labels.of)) + readers
        same = all(getattr(self.encoder, key) == getattr(recipe.classifier.encoder, key) for key in START)
        checks = [
            (self.of is None, "saliency.of: missing"),
            (method and not hinted, "affinity_labels.hints: must be saliency for method saliency"),
            (hinted and not method,
             f"affinity_labels.hints: must be nothing for method {labels.method}, which reads no saliency"),
            (not made and bool(readers),
             f"saliency.of: must be [c2am], [c2am_h] or [folder], for it is read by {', '.join(readers)}"),
            (made and not readers,
             "saliency.of: must be [], for no affinity_labels.hints, no cues.saliency and no rung reads it"),
            (made and self.start == "classifier" and not same,
             f"saliency.encoder: {', '.join(START)} must be those of classifier.encoder, from which it "
             "starts"),
            *self._by_method(),
        ]  # fmt: skip
        chosen = [*(("of", name) for name in self.of or []), ("refine", self.refine)]
        return [problem for wrong, problem in checks if wrong] + [
            f"saliency.{name}: missing, and saliency.{key} chooses it"
            for key, name in chosen
            if getattr(self, name) is None
        ]

    def _by_method(self) -> list[tuple[bool, str]]:
        """Networks read no maps of others, and whoever reads such maps trains none."""
        reads, given = self.of == [UNTRAINED], self.maps != "nothing"
        return [
            (reads and not given,
             "saliency.maps: must be raw/NAME for saliency.of [folder], found 'nothing': docs/given-data.md"),
            (given and not reads,
             f"saliency.maps: must be nothing for saliency.of {self.of}, which reads no maps"),
            (reads and self.start != "nothing",
             "saliency.start: must be nothing for saliency.of [folder], which trains no network"),
            (reads and self.refine != "none",
             "saliency.refine: must be none for saliency.of [folder], which trains no network"),
        ]  # fmt: skip
