"""Parameters of the step `pseudo_labels`."""

from typing import Annotated, Any, Literal

from pydantic import Field

from stages.affinity_labels.params import Superpixels
from stages.common.crf_params import Crf
from stages.common.params import Count, Empty, Fraction, Given, Positive, Section


class RandomWalk(Section):
    beta: Positive  # W ** beta
    steps: Count  # t of T^t; PSA and IRN: 2^8
    background: Literal["alpha", "constant"]  # PSA: (1 - max)^alpha walks too; IRN: a constant after
    alpha: Positive
    threshold: Fraction  # of the constant background
    crf: bool  # dense CRF after the walk


class CrfMethod(Section):
    threshold: Fraction
    gt_prob: Annotated[float, Field(gt=0, lt=1)]


class Threshold(Section):
    threshold: Fraction


class SeedRule(Section):
    k: Annotated[float, Field(gt=0, le=1)]  # share of each map's maximum (CHEN: 0.1)


class Rule(Section):
    """Which label a region takes, and what becomes of the pixels of those that take none."""

    share: Annotated[float, Field(ge=0.5, lt=1)]  # more than it of a region, and the region takes that label
    covers: Annotated[float, Field(gt=0, le=1)] | None  # or as much of a class in the picture lies in it
    # keep: as they are; vote: of a region of background, background; clear: of all that take no class
    rest: Literal["keep", "vote", "clear"]


class FelzenszwalbRegions(Section):
    """Regions of like colour, as large as the picture has them."""

    scale: Positive  # higher: larger regions
    sigma: Annotated[float, Field(ge=0)]  # pixels, of a blur before
    min_size: Count  # pixels of a region


class Felzenszwalb(FelzenszwalbRegions, Rule):
    pass


class Slic(Superpixels, Rule):
    pass


class Masks(Rule):
    pass


class PseudoLabels(Section):
    method: Literal["random_walk", "crf", "threshold", "seed_rule"]
    maps: Literal["seeds", "cues"]  # the folder of data/ with what becomes labels
    affinity: Literal["affinity", "nothing"] = "nothing"  # what is read; the step itself sees it in method
    random_walk: RandomWalk | None = None  # dvc.yaml declares the chosen method's keys only
    crf: CrfMethod | None = None
    threshold: Threshold | None = None
    seed_rule: SeedRule | None = None
    dense_crf: Crf
    merge: Literal["none", "felzenszwalb", "slic", "masks"]  # regions whose borders the labels follow
    none: Empty | None = None
    felzenszwalb: Felzenszwalb | None = None
    slic: Slic | None = None
    masks: Masks | None = None
    regions: Given  # where those of `masks` lie

    def together(self, recipe: Any) -> list[str]:
        """What the regions ask of other keys."""
        given = self.regions != "nothing"
        checks = [
            (getattr(self, self.merge) is None,
             f"pseudo_labels.{self.merge}: missing, and pseudo_labels.merge chooses it"),
            (self.merge == "masks" and not given,
             "pseudo_labels.regions: must be raw/NAME for merge masks, found 'nothing': docs/given-data.md"),
            (self.merge != "masks" and given,
             f"pseudo_labels.regions: must be nothing for merge {self.merge}, which reads none"),
        ]  # fmt: skip
        return [problem for wrong, problem in checks if wrong]
