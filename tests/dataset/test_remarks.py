"""What is odd about the pictures of a set as a whole."""

from pathlib import Path

import pytest
from PIL import Image

from stages.dataset.records import Record
from stages.dataset.remarks import equal_pictures, remarks


def records(*rows: tuple[str, str, str]) -> list[Record]:
    return [Record(name, Path(name), split, tuple(labels.split()), None) for name, split, labels in rows]


def test_equal_pictures_in_both_splits_and_in_one():
    found = records(
        ("a", "train", "x"), ("b", "val", "x"), ("c", "val", "x"), ("d", "val", "y"), ("e", "val", "")
    )
    pixels = {"a": "1", "b": "1", "c": "2", "d": "2", "e": "3"}
    assert equal_pictures(found, pixels) == [
        "the same picture is in train and val, 1 times (as a and b): scores of val are too good",
        "the same picture is twice in one split, 1 times (as c and d)",
        "1 of these have different labels (as c and d)",
    ]
    assert equal_pictures(found, {name: name for name in pixels}) == []


def test_a_class_that_every_training_picture_has():
    rows = (("a", "train", "x y"), ("b", "train", "x"), ("c", "val", ""))
    (always, val) = remarks(["x", "y"], records(*rows), dict(zip("abc", "123", strict=True)))
    assert always.startswith("every training picture has x, so it cannot be learnt")
    assert val == "no picture of val has a class: there is no mAP"
    more = records(*rows, ("d", "train", ""), ("e", "val", "y"))
    assert not remarks(["x", "y"], more, {record.id: record.id for record in more})


def test_pictures_without_a_class_in_one_split_only():
    rows = [("a", "train", "x"), ("b", "train", "y"), ("c", "val", "x"), ("d", "val", "y")]
    own = {name: name for name in "abcdef"}
    assert not remarks(["x", "y"], records(*rows), own)
    (unseen,) = remarks(["x", "y"], records(*rows, ("e", "val", "")), own)
    assert unseen.startswith("1 of 3 pictures of val have no class, and none of train: no training ever")
    (unscored,) = remarks(["x", "y"], records(*rows, ("e", "train", ""), ("f", "train", "")), own)
    assert unscored.startswith("2 of 4 training pictures have no class, and none of val: how often")
    assert not remarks(["x", "y"], records(*rows, ("e", "train", ""), ("f", "val", "")), own)


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_equal_pixels_in_another_format(good, suffix):
    image = Image.effect_noise((8, 6), 90).convert("RGB")
    good.picture("d.png", "train", "cat", image)
    good.picture(f"e{suffix}", "val", "cat", image)
    text = good.run()
    assert "the same picture is in train and val, 1 times (as d and e)" in text
    assert "(as d and e)" in Path("data/dataset/warnings.txt").read_text()
