"""Parameters of the step `few_shot`."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from stages.common.params import Count, Fraction
from stages.common.training.params import MaskedTraining
from stages.fold_masks.classes import novel_classes

Fold = Annotated[int, Field(ge=0)]
Level = Annotated[int, Field(ge=1, le=5)]
Vector = Literal["initial", "primary", "auxiliary"]


class FewShot(MaskedTraining):
    folds: list[Fold] | None = None  # which folds there are a network and episodes of; empty: no such stages
    vectors: Annotated[list[Vector], Field(min_length=1)]  # what of the support guides the query
    levels: Annotated[list[Level], Field(min_length=1)]  # encoder blocks that are joined, the finest first
    channels: Count
    dropout: Annotated[float, Field(ge=0, lt=1)]  # of the joined blocks; before scores at most 0.1
    bins: Annotated[
        list[Count], Field(min_length=1)
    ]  # cells a side of the pyramid's levels, the finest first
    prior: bool  # whether the query is told where it looks like the support's object, by the last block
    rotate: Annotated[float, Field(ge=0, le=180)]  # degrees, at most, to either side
    blur: Fraction  # probability

    @field_validator("folds", "vectors", "levels", "bins")
    @classmethod
    def _once(cls, value: list | None) -> list | None:
        if value is not None and len(set(value)) < len(value):
            raise ValueError(f"must name each once, found {value}")
        return value

    @field_validator("bins")
    @classmethod
    def _finest_first(cls, value: list[int]) -> list[int]:
        if value != sorted(value, reverse=True):
            raise ValueError(f"must go from the finest to the coarsest, found {value}")
        return value

    def together(self, p: Any) -> list[str]:
        """The masks are there, and so are the folds' classes and the episodes' supports."""
        most, supports = max(p.episodes.shots), p.fold_masks.supports
        checks = [
            (self.folds is None, "few_shot.folds: missing"),
            (bool(self.folds) and p.dataset.truth == "none",
             "few_shot.folds: must be [], for dataset.truth is none: there are no masks"),
            (bool(self.folds) and most > supports,
             f"episodes.shots: must be at most {supports}, which fold_masks.supports is, found {most}"),
        ]  # fmt: skip
        problems = [problem for wrong, problem in checks if wrong]
        if p.dataset.name == "synthetic":  # of others only the masks' step knows the classes
            for fold in self.folds or []:
                try:
                    novel_classes(fold, p.fold_masks.fold_classes, p.generate.classes)
                except ValueError as error:
                    problems.append(str(error))
        return problems
