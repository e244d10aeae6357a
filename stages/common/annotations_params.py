"""The kinds of annotations, for schemas of parameters, which load nothing else."""

from typing import Literal

Kind = Literal["none", "boxes", "points", "scribbles"]
MARKED: tuple[Kind, ...] = ("scribbles", "points")  # those that label pixels, each picture with ID.png
