"""A layout that is not read is recognised, and `wsss import` turns it into one that is."""

import json
import re
import zlib
from pathlib import Path

import pytest
from PIL import Image

from pipeline.project.links import found
from stages.commands.importing.__main__ import main
from stages.dataset.layouts import layout
from stages.dataset.params import Dataset
from stages.dataset.sources.folder import read
from tests.dataset.test_bad_input import refused

PARAMS = Dataset(
    source="folder", name="mine", train="train", val="val", truth="none", masks="SegmentationClass",
    bad_pictures="fail", annotations="none", max_megapixels=10,
)  # fmt: skip


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    red = zlib.crc32(path.stem.encode()) % 256
    Image.new("RGB", (8, 6), (red, 0, 0)).save(path)


def coco(root: Path) -> None:
    for name in "abcdef":
        picture(root / f"photos/{name}.jpg")
    (root / "annotations").mkdir()
    text = {
        "images": [{"id": number, "file_name": f"{name}.jpg"} for number, name in enumerate("abcdef")],
        "annotations": [{"image_id": n, "category_id": 7 + n % 2, "bbox": [0, 0, 1, 1]} for n in range(5)]
        + [{"image_id": 0, "category_id": 8, "bbox": [0, 0, 1, 1]}],
        "categories": [{"id": 7, "name": "cat"}, {"id": 8, "name": "dog"}],
    }  # fmt: skip
    (root / "annotations/instances.json").write_text(json.dumps(text))


def image_folder(root: Path) -> None:
    for number in range(6):
        picture(root / ("cat", "dog")[number % 2] / f"{number}.jpg")


def image_folder_with_splits(root: Path) -> None:
    for number in range(6):
        picture(root / ("train", "val")[number > 3] / ("cat", "dog")[number % 2] / f"{number}.jpg")


def roboflow(root: Path) -> None:
    for split, names in (("train", "abcd"), ("valid", "ef")):
        for name in names:
            picture(root / split / f"{name}.jpg")
        lines = [f"{name}.jpg, {number % 2}, {1 - number % 2}" for number, name in enumerate(names)]
        (root / split / "_classes.csv").write_text("\n".join(["filename, cat, dog", *lines]))


def labelme(root: Path) -> None:
    for number, name in enumerate("abcdef"):
        picture(root / f"{name}.jpg")
        shapes = [{"label": ("cat", "dog")[number % 2], "points": []}]
        (root / f"{name}.json").write_text(json.dumps({"shapes": shapes, "imagePath": f"{name}.jpg"}))


def cvat(root: Path) -> None:
    lines = []
    for number, name in enumerate("abcdef"):
        picture(root / f"pictures/{name}.jpg")
        box = f'<box label="{("cat", "dog")[number % 2]}" xtl="0" ytl="0" xbr="2" ybr="2"/>'
        lines.append(f'<image name="{name}.jpg" width="8" height="6">{box}</image>')
    (root / "annotations.xml").write_text(f"<annotations>{''.join(lines)}</annotations>")


def boxes(root: Path) -> None:
    for number, name in enumerate("abcdef"):
        picture(root / f"pictures/{name}.jpg")
        label = ("cat", "dog")[number % 2]
        text = f"<annotation><object><name>{label}</name></object></annotation>"
        (root / f"pictures/{name}.xml").write_text(text)


def yolo(root: Path) -> None:
    for split, names in (("train", "abcd"), ("val", "ef")):
        (root / "labels" / split).mkdir(parents=True)
        for number, name in enumerate(names):
            picture(root / f"images/{split}/{name}.jpg")
            (root / f"labels/{split}/{name}.txt").write_text(f"{number % 2} 0.5 0.5 0.1 0.1\n")
    (root / "data.yaml").write_text("names: [cat, dog]\n")


MADE = {
    "COCO": coco, "ImageFolder": image_folder, "ImageFolder with splits": image_folder_with_splits,
    "Roboflow": roboflow, "labelme": labelme, "CVAT": cvat, "YOLO": yolo,
    "XML": boxes,
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_a_layout_is_recognised_and_wsss_import_makes_it_readable(tmp_path, name):
    source, made = tmp_path / "source", tmp_path / "made"
    source.mkdir()
    MADE[name](source)
    kind = name.split()[0]
    assert layout(source).startswith(kind) and f"it looks like {kind}" in found(source)
    command = re.findall(r"`wsss import (\S+) (\S+) --out FOLDER` makes that", found(source))
    assert main([*command[0], f"--out={made}"]) == 0
    assert layout(made) == "folder"
    records = read(made, PARAMS)
    assert records.problems == [] and records.classes == ["cat", "dog"]
    assert len(records.records) == 6 and {record.split for record in records.records} == {"train", "val"}
    assert all(record.path.is_file() for record in records.records)
    assert sorted({label for record in records.records for label in record.labels}) == ["cat", "dog"]


def test_the_layouts_that_are_read_say_what_to_set(tmp_path):
    picture(tmp_path / "voc/VOCdevkit/VOC2012/JPEGImages/a.jpg")
    assert found(tmp_path / "voc") == "voc layout, 1 picture(s): set dataset.source to voc"
    picture(tmp_path / "own/images/sub/a.jpg")
    assert found(tmp_path / "own") == "needed is images/ and labels.csv with the columns file,split,labels"
    (tmp_path / "own/labels.csv").write_text("file,split,labels\n")
    assert found(tmp_path / "own") == "folder layout, 1 picture(s): set dataset.source to folder"


def test_cocos_own_layout_is_a_source(tmp_path):
    coco(tmp_path)
    (tmp_path / "annotations/instances.json").rename(tmp_path / "annotations/instances_train2017.json")
    assert found(tmp_path).startswith(
        "this is COCO's own layout: set dataset.source to coco, and dataset.train"
    )


def test_the_step_says_what_it_found_instead(good):
    good._folder = lambda: [(good.root / name).write_text("x") for name in ("Labels.xlsx", "train.csv")]
    refused(good, "labels.csv is missing", "there is Labels.xlsx, train.csv: is it one of these?")
    (good.root / "JPEGImages").mkdir()
    refused(good, "labels.csv is missing: this is the VOC layout: set dataset.source to voc")


def test_no_folder_of_pictures(good):
    good.spoil = lambda: (good.root / "images").rename(good.root / "pictures")
    refused(good, "mine/images is missing, the folder of the pictures")
    good.spoil = lambda: None
    assert "labels.csv: set dataset.source to folder" in refused(good, "no folder JPEGImages", source="voc")


def test_a_folder_of_pictures_under_another_name(tmp_path):
    picture(tmp_path / "photos/a.jpg")
    (tmp_path / "labels.csv").write_text("file,split,labels\na.jpg,train,cat\n")
    said = "labels.csv is there, the folder images is not: is it photos? Then rename that"
    assert found(tmp_path) == said


def test_captions_and_equal_names_in_two_folders(tmp_path):
    """COCO's download holds captions beside the boxes, and a set two pictures of one name."""
    source = tmp_path / "source"
    coco(source)
    (source / "annotations/captions.json").write_text(json.dumps({"images": [], "annotations": []}))
    assert main(["coco", str(source), f"--out={tmp_path / 'one'}"]) == 0
    picture(source / "more/a.jpg")
    assert main(["coco", str(source), f"--out={tmp_path / 'two'}"]) == 0  # five lie in photos: there is it
    (source / "less").mkdir()
    (source / "photos/a.jpg").rename(source / "less/a.jpg")
    with pytest.raises(
        ValueError, match=r"picture 'a.jpg' could be less/a.jpg, more/a.jpg: their names do not tell"
    ):
        main(["coco", str(source), f"--out={tmp_path / 'three'}"])
