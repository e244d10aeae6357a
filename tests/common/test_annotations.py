from pathlib import Path

import numpy as np
import pytest

from stages.common.annotations import Box, Point, load_annotations
from stages.common.artifacts import mask_bytes

CLASSES = ("background", "cat", "dog")


def write(root: Path, kind: str) -> None:
    (root / "about.json").write_text(f'{{"kind": "{kind}", "more": 1}}')
    (root / "boxes.csv").write_text(
        "id,object,class,left,top,right,bottom\na,1,dog,0,1,5,4\na,2,cat,1,1,2,2\n"
    )
    (root / "points.csv").write_text("id,object,class,x,y\nb,1,cat,3,4\nb,2,background,0,1\n")


def test_each_kind_reads_its_own_table(tmp_path: Path) -> None:
    write(tmp_path, "boxes")
    found = load_annotations(CLASSES, tmp_path)
    assert (found.kind, found.points) == ("boxes", {})
    assert found.boxes == {"a": [Box(1, 2, 0, 1, 5, 4), Box(2, 1, 1, 1, 2, 2)]}
    write(tmp_path, "points")
    found = load_annotations(CLASSES, tmp_path)
    assert found.boxes == {} and found.points == {"b": [Point(1, 1, 3, 4), Point(2, 0, 0, 1)]}
    write(tmp_path, "none")
    assert not load_annotations(CLASSES, tmp_path).boxes


def test_marks_are_class_indices(tmp_path: Path) -> None:
    write(tmp_path, "scribbles")
    marks = np.array([[0, 1, 255], [2, 255, 255]], np.uint8)
    (tmp_path / "a.png").write_bytes(mask_bytes(marks))
    assert np.array_equal(load_annotations(CLASSES, tmp_path).marks("a"), marks)


def test_without_the_step_it_says_what_makes_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is missing or not whole: `wsss run dataset` makes it"):
        load_annotations(CLASSES, tmp_path)
