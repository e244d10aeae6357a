"""The step as a whole: a VOC layout that is the same every time."""

import hashlib
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from stages.common.artifacts import read_mask
from stages.generate.__main__ import OUT, main
from tests.params_file import shipped_params, write_params

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def generate(tmp_path, monkeypatch):
    """Run the step with changed parameters; returns its line."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "dvc.yaml", "dvc.yaml")

    def run(**changed: float) -> str:
        values = shipped_params()
        values["generate"] |= {"train": 8, "val": 4, "size": 64, "classes": 6, **changed}
        write_params(values)
        return main()

    return run


def hashes(folder: Path = OUT) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def listed(split: str) -> list[str]:
    return (OUT / f"ImageSets/Segmentation/{split}.txt").read_text().split()


def test_layout(generate):
    assert generate() == (
        "generate: 8 train and 4 val pictures of striped, checked, ringed, dotted, zigzag, netted"
    )
    assert len(listed("train")) == 8 and len(listed("val")) == 4
    assert (OUT / "classes.txt").read_text().split()[:2] == ["striped", "checked"]
    for name in listed("train") + listed("val"):
        with Image.open(OUT / f"JPEGImages/{name}.jpg") as picture:
            assert (picture.size, picture.mode, picture.format) == ((64, 64), "RGB", "JPEG")
        mask = read_mask(OUT / f"SegmentationClass/{name}.png")
        assert mask.shape == (64, 64) and {0, 255} < set(np.unique(mask).tolist()) <= {*range(7), 255}


def test_boxes_name_the_classes_of_the_mask(generate):
    generate()
    names = (OUT / "classes.txt").read_text().split()
    for name in listed("train"):
        mask = read_mask(OUT / f"SegmentationClass/{name}.png")
        tree = ElementTree.parse(OUT / f"Annotations/{name}.xml")
        boxed = {names.index(str(entry.findtext("name"))) + 1 for entry in tree.findall("object")}
        assert boxed == set(np.unique(mask).tolist()) - {0, 255}


def test_every_class_is_in_a_small_training_split(generate):
    generate(classes=8)
    seen = {value for name in listed("train") for value in np.unique(read_mask(mask_of(name))).tolist()}
    assert seen == {0, *range(1, 9), 255}


def mask_of(name: str) -> Path:
    return OUT / f"SegmentationClass/{name}.png"


def test_same_seed_same_bytes_and_another_seed_other_bytes(generate):
    generate()
    first = hashes()
    generate()
    assert hashes() == first
    generate(seed=1)
    other = hashes()
    assert other.keys() == first.keys()
    assert all(other[name] != first[name] for name in first if name.endswith(".jpg"))


def test_a_second_mark_changes_pictures_alone(generate):
    generate()
    first = hashes()
    generate(second_mark=0.4)
    changed = {name for name, value in hashes().items() if value != first[name]}
    assert changed == {name for name in first if name.endswith(".jpg")}


def test_a_picture_does_not_depend_on_the_count(generate):
    generate(train=6, val=1)
    few, clicks = hashes(), json.loads((OUT / "points.json").read_text())
    generate(train=9, val=3)
    many, more = hashes(), json.loads((OUT / "points.json").read_text())
    assert all(more[name] == found for name, found in clicks.items())
    lists = {"ImageSets/Segmentation/train.txt", "ImageSets/Segmentation/val.txt", "points.json"}
    assert all(many[name] == few[name] for name in few.keys() - lists)


def test_splits_do_not_share_pictures(generate):
    generate()
    pictures = [value for name, value in hashes().items() if name.endswith(".jpg")]
    assert len(set(pictures)) == 12


def test_fewer_training_pictures_than_classes_are_refused(generate):
    with pytest.raises(ValueError, match=r"train: must be at least classes \(6\), found 5"):
        generate(train=5)
    assert not OUT.exists()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"pairs": 0.5, "classes": 2}, "pairs: must be 0 where there are fewer than 3 classes or 2 objects"),
        ({"pairs": 0.5, "objects": 1}, "pairs: must be 0 where there are fewer than 3 classes or 2 objects"),
        ({"rare": 2, "classes": 1}, "rare: must be 1 where there is one class, found 2"),
    ],
)
def test_what_cannot_be_drawn_is_refused(generate, changed, says):
    with pytest.raises(ValueError, match=says):
        generate(**changed)
    assert not OUT.exists()


@pytest.mark.parametrize("changed", [{"road": 1}, {"clutter": 3}, {"thin": 1}, {"rare": 5}, {"pairs": 1}])
def test_what_is_optional_is_the_same_every_time_and_other_than_without(generate, changed):
    generate()
    plain = hashes()
    generate(**changed)
    first = hashes()
    generate(**changed)
    assert hashes() == first != plain
    if changed.keys() <= {"road", "clutter"}:
        assert {name for name in first if first[name] != plain[name]} <= {*filter(is_picture, first)}


def is_picture(name: str) -> bool:
    return name.endswith(".jpg")


def test_every_class_of_a_long_tail_is_in_a_small_training_split(generate):
    generate(rare=1000)
    seen = {value for name in listed("train") for value in np.unique(read_mask(mask_of(name))).tolist()}
    assert seen == {0, *range(1, 7), 255}
