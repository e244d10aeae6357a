"""Results that are nearly all background: a training that went wrong shows so first, also without truth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.common.artifacts import UNKNOWN, read_mask
from stages.evaluation.rungs import Rung

LOOKED = 200  # masks, evenly spaced over the sorted ids: reading all of a large set takes minutes
EMPTY, MOST = 0.995, 0.5  # share of a picture's pixels, share of the pictures
SHOWN = 8  # names that a sentence lists


@dataclass(frozen=True)
class Look:
    """What some of a rung's masks hold."""

    looked: int  # masks
    empty: int  # of these, nearly all background
    classes: frozenset[int]  # that any of them holds
    named: frozenset[int]  # by the image labels of any of them
    total: int  # masks that the split has


def sample(labels: Mapping[str, Iterable[int]], rung: Rung) -> Look:
    """Look at LOOKED of the masks of pictures with image `labels`, by id; one that is missing is no mask."""
    ordered = sorted(labels)
    step = max(1, len(ordered) / LOOKED)
    chosen = [ordered[int(i * step)] for i in range(min(LOOKED, len(ordered)))]
    there = {name: file for name in chosen if (file := rung.file(name)).is_file()}
    named = frozenset(label for name in there for label in labels[name])
    files = list(there.values())
    empty, classes = 0, set()
    for file in files:
        counts = np.bincount(read_mask(file).ravel(), minlength=256)
        counts[UNKNOWN] = 0
        empty += bool(counts[0] >= EMPTY * max(counts.sum(), 1))
        classes |= set(np.flatnonzero(counts).tolist())
    return Look(len(files), empty, frozenset(classes), named, len(ordered))


def words(name: str, look: Look, classes: Sequence[str]) -> list[str]:
    """A sentence of what looks wrong; none where nothing does."""
    if not look.looked:
        return []
    of = f"the {look.looked}" if look.looked == look.total else f"{look.looked} of the {look.total}"
    found = []
    if look.empty > MOST * look.looked:
        found.append(
            f"{look.empty} of {of} masks are background on {100 * EMPTY:g} % of their pixels or more"
        )
    never = [classes[index] for index in sorted(look.named - look.classes)]
    if never:
        more = f" and {len(never) - SHOWN} more" if len(never) > SHOWN else ""
        found.append(f"none of {of} masks has {', '.join(never[:SHOWN])}{more}")
    return [f"{name}: {'; '.join(found)}"] if found else []
