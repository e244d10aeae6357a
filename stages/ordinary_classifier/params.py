"""Parameters of the step `ordinary_classifier`."""

from typing import Annotated, Literal

from pydantic import Field

from stages.classifier.params import Recogniser


class OrdinaryClassifier(Recogniser):
    of: Annotated[list[Literal["dataset"]], Field(max_length=1)]  # empty: no such stage
