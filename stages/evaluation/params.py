"""Parameters of the step `evaluation`."""

from typing import Annotated

from pydantic import Field

from stages.common.params import Count, Fraction, Section


class Evaluation(Section):
    threshold: Fraction  # the fixed one that turns maps into labels
    bins: Annotated[int, Field(ge=10, le=1000)]  # thresholds of the curve: 1/bins apart
    gallery: Count  # pictures shown, the same in every rung of a split
