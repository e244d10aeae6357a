"""Parameters of the step `predictions`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.common.crf_params import Crf
from stages.common.params import Positive, Section

SMALLEST = 64  # pixels of a tile's side: of less a network sees too little


class Predictions(Section):
    scales: Annotated[list[Positive], Field(min_length=1)]
    flip: bool
    fuse: Literal["mean", "max"]  # of the probabilities, or of the scores, over scales and flips
    tile: int | None  # the side; a picture with a larger one is cut into tiles
    overlap: int
    merge: Literal["ramp", "mean", "inner"]  # what counts where tiles overlap
    crf: bool
    dense_crf: Crf
    entropy: bool  # that of the probabilities is kept beside the labels
    precision: Literal["fp32", "bf16"]

    @model_validator(mode="after")
    def _tiles(self) -> "Predictions":
        if self.tile is None:
            if self.overlap:
                raise ValueError(f"overlap: must be 0 where tile is null, found {self.overlap}")
        elif wrong := wrong_tiles(self.tile, self.overlap):
            raise ValueError(wrong)
        return self


def wrong_tiles(tile: int, overlap: int) -> str:
    """What is wrong with the side of tiles and their overlap; empty if nothing is."""
    if tile < SMALLEST:
        return f"tile: must be {SMALLEST} or more, found {tile}"
    if not 0 <= overlap <= tile // 2:
        return f"overlap: must be 0 to {tile // 2}, half of tile, found {overlap}"
    return ""
