"""Parameters of the step `evaluation`."""

from typing import Annotated

from pydantic import Field

from stages.common.params import Fraction, Section

Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
Folder = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)*$")]


class Rungs(Section):
    """What is scored, as all that draws the ladder reads it."""

    rungs: Annotated[dict[Name, Folder], Field(min_length=1)]


class Evaluation(Section):
    rungs: Annotated[dict[Name, Folder], Field(min_length=1)] | None = None  # the folders of data/ scored
    threshold: Fraction  # the fixed one that turns maps into labels
    bins: Annotated[int, Field(ge=10, le=1000)]  # thresholds of the curve: 1/bins apart
