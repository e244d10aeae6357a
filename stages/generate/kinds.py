"""Which classes come: some more seldom than others, and two of them together."""

import numpy as np

PAIR = (1, 2)  # the second and third class


def shares(classes: int, rare: float) -> np.ndarray:
    """How often each class comes, as shares of how often the first does: 1 down to 1 / `rare`, each a like
    factor below the one before it, as in long-tailed sets (Cui et al. 2019)."""
    return rare ** -(np.arange(classes) / max(1, classes - 1))


def rarer(rng: np.random.Generator, kind: int, classes: int, rare: float) -> int:
    """`kind`, drawn of all classes alike, or another in its place: what is returned comes as `shares` says.

    Let s be a class's share, m their mean: it stays with s / C and comes for another with (1 - m) s / (C m),
    in all s / (C m).
    """
    likely = shares(classes, rare)
    if rng.random() < likely[kind]:
        return kind
    return int(rng.choice(classes, p=likely / likely.sum()))


def paired(before: list[int], drawn: int | None, last: bool) -> int | None:
    """The class of a picture's next object, None for no object, where none of the pair shall be alone.

    It is what was drawn, unless one of the pair has come without the other, or would come in the last place.
    """
    found = [kind for kind in PAIR if kind in before]
    if len(found) == 1:
        return sum(PAIR) - found[0]
    return before[0] if last and not found and drawn in PAIR else drawn
