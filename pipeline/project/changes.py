"""What differs between two sets of parameters."""

from collections.abc import Mapping
from typing import Any

from pipeline.project.presets import Change, leaves


def between(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """One change per leaf, by dotted key, in the order of the sections."""
    return [
        change
        for key in [*old, *(key for key in new if key not in old)]
        if old.get(key) != new.get(key) or (key in old) != (key in new)
        for change in leaves(key, old.get(key), new.get(key))
    ]
