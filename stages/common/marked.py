"""Whether masks that a step made mark anything: a recipe that learnt nothing ends well, and empty."""

from collections.abc import Sequence
from pathlib import Path

from stages.common.artifacts import UNKNOWN, read_mask
from stages.common.pictures import Picture

LEAST = 0.005  # of a picture's pixels


def hardly_marked(folder: Path, pictures: Sequence[Picture]) -> str:
    """A line of warning if most of the pictures that show a class got next to no pixel of any, else "".

    `folder` holds the masks, ID.png. The warning begins with a newline: it follows what a step says.
    """
    shown = [picture for picture in pictures if picture.labels]
    empty = [picture.id for picture in shown if _share(folder / f"{picture.id}.png") < LEAST]
    if 2 * len(empty) <= len(shown):
        return ""
    first = ", ".join(empty[:3])
    return (
        f"\n  warning: {len(empty)} of {len(shown)} pictures with a class are background, or all but "
        f"{100 * LEAST:g} % of it ({first}): enough steps of training? A small set needs more epochs"
    )


def _share(file: Path) -> float:
    mask = read_mask(file)
    return float(((mask > 0) & (mask < UNKNOWN)).mean())
