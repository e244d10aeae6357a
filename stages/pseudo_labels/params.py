"""Parameters of the step `pseudo_labels`."""

from typing import Annotated, Literal

from pydantic import Field

from stages.common.crf_params import Crf
from stages.common.params import Count, Fraction, Positive, Section


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


class PseudoLabels(Section):
    method: Literal["random_walk", "crf", "threshold", "seed_rule"]
    affinity: Literal["affinity", "nothing"] = "nothing"  # what is read; the step itself sees it in method
    random_walk: RandomWalk | None = None  # dvc.yaml declares the chosen method's keys only
    crf: CrfMethod | None = None
    threshold: Threshold | None = None
    seed_rule: SeedRule | None = None
    dense_crf: Crf
