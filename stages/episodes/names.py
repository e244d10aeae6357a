"""How supports guide, as the tables of episodes name it."""

from collections.abc import Sequence

AVERAGE = "average"  # all supports weigh alike


def kinds(shots: Sequence[int]) -> list[str]:
    """By their number, and where there are several also with all of them alike."""
    return [name for one in shots for name in ([str(one)] if one == 1 else [str(one), f"{one}_{AVERAGE}"])]


def heading(kind: str) -> str:
    """As a person says one: "5 shots, average"."""
    number, _, how = kind.partition("_")
    return f"{number} shot{'s' * (number != '1')}" + (f", {how}" if how else "")
