"""A validation split for a set without one."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping


def drawn(labels: Mapping[str, frozenset[str]], share: float) -> set[str]:
    """The names of val, of the pictures' labels by name: stratified by class, drawn by a hash of the name.

    From the rarest class to the commonest (pictures without any are one, too), val gets pictures of the
    class that are not placed yet, in the order of their hashes, until it has `share` of the class, rounded.
    The others of the class are train. At last a class whose pictures all went to val for other classes' sake
    gives its first one to train, which must show every class.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(labels, key=_hash):
        for label in labels[name] or {""}:
            groups[label].append(name)
    placed: dict[str, bool] = {}
    for label in sorted(groups, key=lambda label: (len(groups[label]), label)):
        names = groups[label]
        wanted = min(max(round(share * len(names)), 1), len(names) - 1)
        lacking = wanted - sum(placed.get(name, False) for name in names)
        for name in names:
            if name not in placed:
                placed[name] = lacking > 0
                lacking -= 1
    for names in groups.values():
        if all(placed[name] for name in names):
            placed[names[0]] = False
    return {name for name, val in placed.items() if val}


def _hash(name: str) -> tuple[bytes, str]:
    return hashlib.sha256(name.encode()).digest(), name
