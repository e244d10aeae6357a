"""How supports guide, as the tables of episodes name it."""

import itertools
from collections.abc import Sequence

AVERAGE = "average"  # all supports weigh alike
ANY = "any"  # by no support: every object of the query, whatever its class, from the truth


def kinds(shots: Sequence[int]) -> list[str]:
    """By their number, where there are several also with all of them alike, and what stands without any."""
    by_shots = [[str(one)] if one == 1 else [str(one), f"{one}_{AVERAGE}"] for one in shots]
    return [*itertools.chain(*by_shots), ANY]


def order(kind: str) -> tuple[float, str]:
    """A key to sort them: fewer shots first."""
    return (float("inf") if kind == ANY else int(kind.partition("_")[0]), kind)


def heading(kind: str) -> str:
    """As a person says one: "5 shots, average"."""
    if kind == ANY:
        return "every object"
    number, _, how = kind.partition("_")
    return f"{number} shot{'s' * (number != '1')}" + (f", {how}" if how else "")
