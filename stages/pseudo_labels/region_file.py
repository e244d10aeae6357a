"""A picture's regions as a file: {"size": [height, width], "counts": [...]}, a text for each region.

The text is COCO's compressed RLE, as pycocotools and SAM write it.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stages.dataset.runs import coco_counts, coco_text, filled


class Regions(NamedTuple):
    """Of a picture of `size` (height, width): each region's lengths of runs down the columns, False first."""

    size: tuple[int, int]
    counts: list[list[int]]


def write(size: tuple[int, int], counts: Sequence[Sequence[int]]) -> bytes:
    """Equal regions give equal bytes."""
    value = {"size": list(size), "counts": [coco_text(one) for one in counts]}
    return (json.dumps(value, sort_keys=True) + "\n").encode()


def read(content: bytes) -> Regions:
    """ValueError for what is no such file."""
    try:
        value = json.loads(content)
        height, width = value["size"]
        texts = value["counts"]
        plain = type(height) is type(width) is int and isinstance(texts, list)
        if not plain or not all(isinstance(text, str) for text in texts):
            raise ValueError("size or counts is of another kind")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"is no file of regions ({error}): `wsss import regions` makes them") from None
    return Regions((height, width), [coco_counts(text) for text in texts])


def pixels(regions: Regions) -> list[np.ndarray]:
    """bool [H, W] of each region. ValueError where its runs do not fill the picture."""
    return [filled(counts, regions.size, by_columns=True) for counts in regions.counts]
