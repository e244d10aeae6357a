"""Whether two runs mean the same by the boundary, and what a comparison says of where it moved."""

from collections.abc import Iterator
from typing import Any

from pipeline.results import noise
from pipeline.results.diff import parting
from pipeline.results.diff.sides import Pair

VOID = "evaluation.boundary.void"


def is_same(pair: Pair) -> bool:
    """Whether both take the same pixels for the boundary, as far as their parameters say it."""
    return len({_void(run.params) for run in pair} - {None}) < 2


def notes(pair: Pair) -> Iterator[str]:
    if not is_same(pair):
        yield f"{VOID} differs: near the boundary are other pixels, so mIoU there is not compared"


def moved(rung: str, near: noise.Change | None, inside: noise.Change | None) -> str:
    """A sentence on a rung whose boundary moved: mIoU near it changed, and more than inside; "" else."""
    if near is None or inside is None or near.verdict in (noise.EQUAL, noise.NOISE):
        return ""
    if abs(near.change) <= abs(inside.change):
        return ""
    better = "closer to" if near.change > 0 else "away from"
    return (
        f"At {rung} the boundary moved {better} that of the masks: mIoU {near.change:+.2f} near it, "
        f"{inside.change:+.2f} inside."
    )


def _void(params: dict[str, Any]) -> Any:
    return parting.value(params, VOID)
