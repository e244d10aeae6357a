"""Which pictures have a mask in data/masks: for what stands outside the recipe, which alone may read them."""

import csv
from pathlib import Path

from stages.common.pictures import Picture, Pictures

MASKS = Path("data/masks")


def with_masks(pictures: Pictures, split: str, asked: str) -> list[Picture]:
    """Those of a split that index.csv promises a mask of. ValueError without any: what `asked` for them?"""
    with (MASKS / "index.csv").open(newline="") as file:
        promised = {row["id"] for row in csv.DictReader(file) if row["split"] == split}
    found = [picture for picture in pictures.split(split) if picture.id in promised]
    if not found:
        raise ValueError(f"no picture of {split} has a mask, and {asked}")
    return found
