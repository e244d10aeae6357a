"""Parameters of the step `fold_masks`."""

from typing import Annotated, Literal

from pydantic import Field

from stages.common.params import Count, Section, Seed


class FoldMasks(Section):
    fold_classes: Count  # of a fold, in the order of the masks' indices
    # What the pictures of train show of a fold's own classes: background, or drop: they are left out.
    novel: Literal["background", "drop"]
    min_area: Count  # pixels of a class without which a picture is not taken for it
    supports: Annotated[int, Field(ge=1, le=50)]  # pictures that an episode has beside its query
    episodes: Count  # of a run
    runs: Count
    seed: Seed
