"""Parameters of the step `classifier`."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from stages.common.params import Count, Empty, Fraction, Positive, Section
from stages.common.training.params import CLIP, Encoder, Training

Weight = Annotated[float, Field(ge=0)]  # of a loss
Span = Annotated[list[Weight], Field(min_length=2, max_length=2)]  # at the first step and at the last
IN_QUARTERS = ("puzzle", "p_oc", "p_noc")  # strategies that cut pictures
WITH_ORDINARY = ("oc_cse", "p_oc", "p_noc")  # strategies that always need the ordinary classifier


class Puzzle(Section):
    weight: Weight  # of L_re, for each present class
    ramp: Fraction  # share of the steps over which the weight grows from 0


class OcCse(Section):
    weight: Span  # of L_cse
    normalise: Literal["batch", "picture"]  # by whose maximum the mask is divided


class POc(Section):
    puzzle: Puzzle
    oc_cse: OcCse


class PNoc(POc):
    weight: Span  # of L_noc
    delta: Fraction  # the ordinary classifier does not see where the map is above it
    lr_multiple: Weight  # its learning rate, a multiple of the classifier's
    leak: bool  # whether L_cse moves the ordinary classifier too, as in the published code


class Eader(Section):
    alpha: Weight  # of L_am, what the adversary still sees
    beta: Weight  # of L_reg, the map's mean
    omega: Positive  # the slope of the mask
    sigma: Fraction  # where the mask is one half
    block: Count  # steps of the localizer, then as many of the adversary
    lr_multiple: Positive  # the adversary's learning rate, a multiple of the localizer's
    start: Literal["weights", "ordinary"]  # the adversary: new, or the ordinary classifier
    encoder: Encoder | None  # of a new adversary

    @model_validator(mode="after")
    def _encoder(self) -> "Eader":
        if (self.start == "weights") != (self.encoder is not None):
            wanted = (
                "an encoder" if self.start == "weights" else "null, for the ordinary classifier has its own"
            )
            raise ValueError(f"encoder: must be {wanted} with start {self.start}")
        return self


class ClipText(Section):
    """Prompts for CLIP, which trains nothing: of each class, and of what else a picture shows."""

    templates: Annotated[list[str], Field(min_length=1)]  # {} is where a name goes
    # of a class; of one that is not here, its own
    names: dict[str, Annotated[list[str], Field(min_length=1)]]
    background: Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _places(self) -> "ClipText":
        if bad := [text for text in self.templates if text.count("{}") != 1]:
            raise ValueError(f"templates: each must have one {{}}, where a name goes, found {bad[0]!r}")
        return self


class KernelUsage(Section):
    alpha: Positive | None  # null: the number of classes, with which the head starts as the linear one does


class Recogniser(Training):
    """What the classifier and the ordinary classifier have in common."""

    on_tokens = True
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    head: Literal["linear", "kernel_usage"]
    linear: Empty | None = None  # dvc.yaml declares the chosen head's keys only
    kernel_usage: KernelUsage | None = None


class Classifier(Recogniser):
    # the training strategy; clip_text trains nothing
    method: Literal["plain", "puzzle", "oc_cse", "p_oc", "p_noc", "eader", "clip_text"]
    plain: Empty | None = None  # dvc.yaml declares the chosen method's keys only
    puzzle: Puzzle | None = None
    oc_cse: OcCse | None = None
    p_oc: POc | None = None
    p_noc: PNoc | None = None
    eader: Eader | None = None
    clip_text: ClipText | None = None
    ordinary: Literal["nothing", "ordinary_classifier"]  # the folder of data/ that holds it

    @model_validator(mode="after")
    def _cuts(self) -> "Classifier":
        cell = 2 * self.encoder.output_stride
        if self.method in IN_QUARTERS and self.augment.crop % cell:
            raise ValueError(
                f"augment.crop: must be a multiple of {cell} for method {self.method}, which cuts it into "
                f"quarters of whole cells, found {self.augment.crop}"
            )
        return self

    @model_validator(mode="after")
    def _of_clip(self) -> "Classifier":
        if (self.method == "clip_text") != self.encoder.name.startswith(CLIP):
            raise ValueError(
                "encoder.name: clip-NAME (open_clip's) and method clip_text go together, found "
                f"{self.encoder.name!r} with {self.method}"
            )
        return self

    @model_validator(mode="after")
    def _seen_alike(self) -> "Classifier":
        """A new adversary sees what the classifier sees, normalised once."""
        other = self.eader.encoder if self.method == "eader" and self.eader else None
        if other and (other.mean, other.std) != (self.encoder.mean, self.encoder.std):
            raise ValueError("eader.encoder: mean and std must be those of encoder, whose pictures it sees")
        return self

    def together(self, recipe: Any) -> list[str]:
        """Whoever reads CLIP's classifier must know that it has texts, and no map of its head."""
        clip, by = self.method == "clip_text", "for classifier.method clip_text"
        checks = [
            (clip and recipe.seeds.method != "clip_text", f"seeds.method: must be clip_text {by}"),
            (not clip and recipe.seeds.method == "clip_text",
             "classifier.method: must be clip_text for seeds.method clip_text"),
            (clip and bool(recipe.explanation.of), f"explanation.of: must be [] {by}"),
            (clip and bool(recipe.diagnosis.of), f"diagnosis.of: must be [] {by}"),
            (clip and recipe.saliency.start == "classifier", f"saliency.start: must be nothing {by}"),
            (clip and self.head != "linear", f"classifier.head: must be linear {by}, whose head are texts"),
        ]  # fmt: skip
        return [problem for wrong, problem in checks if wrong]

    def needs_ordinary(self) -> bool:
        from_it = self.method == "eader" and self.eader is not None and self.eader.start == "ordinary"
        return self.method in WITH_ORDINARY or from_it
