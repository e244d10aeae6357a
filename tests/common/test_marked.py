"""A step whose masks mark next to nothing says so."""

from pathlib import Path

import numpy as np

from stages.common.artifacts import mask_bytes
from stages.common.marked import hardly_marked
from stages.common.pictures import Picture


def pictures(folder: Path, *shares: float) -> list[Picture]:
    """Pictures of 1000 pixels with a class, and their masks, marked to a share."""
    found = []
    for number, share in enumerate(shares):
        mask = np.zeros((1, 1000), np.uint8)
        mask[0, : round(1000 * share)], mask[0, 900:] = 1, 255
        (folder / f"{number}.png").write_bytes(mask_bytes(mask))
        found.append(Picture(str(number), folder / "x", "val", 1000, 1, (1,)))
    return found


def test_most_are_background(tmp_path):
    text = hardly_marked(tmp_path, pictures(tmp_path, 0, 0.004, 0.005))
    assert text.startswith("\n  warning: 2 of 3 pictures with a class are background, or all but 0.5 %")
    assert "(0, 1)" in text


def test_half_of_them_or_pictures_without_a_class_are_no_reason(tmp_path):
    assert hardly_marked(tmp_path, pictures(tmp_path, 0, 0.5)) == ""
    assert hardly_marked(tmp_path, []) == ""
    negative = [Picture("0", tmp_path, "val", 1000, 1, ())]
    assert hardly_marked(tmp_path, negative) == ""
