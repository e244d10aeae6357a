"""Everything odd is one clear line, all at once, and then nothing is written."""

import json
from pathlib import Path

import pytest
from PIL import Image

from stages.commands.importing.__main__ import main
from tests.commands.importing import made
from tests.commands.importing.made import Drawn
from tests.commands.importing.test_shapes import coco, pictures, square


def refused(tmp_path: Path, kind: str, source: Path, *options: str) -> list[str]:
    """The lines of the message, the first without the number of things."""
    out = tmp_path / "out"
    with pytest.raises(ValueError) as error:
        main([kind, str(source), f"--out={out}", *options])
    assert not out.exists() and not list(tmp_path.glob(".*"))
    lines = str(error.value).splitlines()
    if "nothing was written" not in lines[0]:
        return lines
    assert f"{len(lines) - 1} thing(s) to mend; nothing was written" in lines[0]
    return [line.strip() for line in lines[1:]]


@pytest.fixture
def drawn() -> list[Drawn]:
    return made.drawn_set()


def test_all_of_a_coco_at_once(tmp_path) -> None:
    source = coco(
        tmp_path / "source",
        {"category_id": 8, "bbox": [0, 0, 2, 2]},
        {"image_id": 99, "category_id": 7},
        {"category_id": 7, "segmentation": [[1, 2, 3]]},
        {"category_id": 7, "bbox": [1, 2, "wide", 4]},
        {"category_id": 7, "segmentation": {"size": [9, 20], "counts": [180]}},
        {"category_id": 7, "bbox": [30, 2, 4, 4]},
        {"category_id": 7, "bbox": [1, 2, -4, 4]},
    )
    content = json.loads((source / "coco.json").read_text())
    content["images"] += [{"id": 5, "file_name": "../x.png"}, {"id": 6, "file_name": "gone.png"}]
    content["images"] += [{"id": 7, "file_name": "b.heic"}, {"id": 4, "file_name": "d.png"}, {"id": 8}]
    content["images"][1]["width"], content["images"][1]["height"] = 30, 10
    (source / "c.png").write_bytes(b"nothing")
    (source / "coco.json").write_text(json.dumps(content))
    lines = refused(tmp_path, "coco", source)
    for says in (
        "annotation 1: is of category 8, which the list of categories lacks",
        "annotation 2: is of image 99, which the list of images lacks",
        "annotation 3: 3 numbers are no pairs of x and y",
        "annotation 4: 'wide' is no number",
        "image 5: picture '../x.png' would lie outside of",
        "image 6: picture 'gone.png' is missing in",
        "image 7: picture 'b.heic' is of no format that is read",
        "image 4: the id is there twice",
        "image 8: 'file_name' is missing",
        "annotation 5 (cat): its RLE is of 20x9 pixels, not 20x10",
        "b.png: is 20x10, its annotations are of 30x10",
        "c.png: unreadable, or not JPEG",
    ):
        assert sum(says in line for line in lines) == 1, (says, lines)
    boxes = next(line for line in lines if "a.png" in line)
    assert "box 30,2,34,6 of annotation 6 (cat) lies outside of the picture of 20x10" in boxes
    assert "box 1,2,-3,6 of annotation 7 (cat) ends before it begins" in boxes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "coco.json: line 1 is no JSON: Expecting property name"),
        ('\n[{"a": }]', "coco.json: line 2 is no JSON"),
        ('{"images": []}', "coco.json: lacks one of the lists images, annotations, categories"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1}]}', "'name' is missing"),
        (
            '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a;b"}]}',
            "class 'a;b' holds a ';'",
        ),
        ('{"images": [], "annotations": [], "categories": []}', "pictures: none is there"),
    ],
)
def test_broken_json(tmp_path, text, says) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/coco.json").write_text(text)
    assert any(says in line for line in refused(tmp_path, "coco", tmp_path / "source/coco.json"))


def test_same_names_in_folders_are_told_apart_or_refused(tmp_path, drawn) -> None:
    source = made.label_studio(tmp_path / "source", drawn)
    text = (source / "export.json").read_text()
    (source / "export.json").write_text(text.replace("?d=trip/a.png", "?d=elsewhere/a.png"))
    lines = refused(tmp_path, "label-studio", source)
    assert lines == [
        "export.json: task 2: picture 'elsewhere/a.png' could be a.png, trip/a.png: their names do not tell"
    ]


def test_yolo(tmp_path, drawn) -> None:
    source = made.yolo(tmp_path / "source", drawn)
    (source / "labels/a.txt").write_text(
        "3 0.5 0.5 0.1 0.1\n0 50 50 10 10\n0 0.5 0.5 0.1\n0 0.5 0.5 0.1 x\n0 0.5 0.5 0.1 0.1 0.9\n"
    )
    (source / "labels/gone.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    text = " ".join(refused(tmp_path, "yolo", source))
    for says in (
        "labels/a.txt:1: class 3: there are 0 to 2",
        "labels/a.txt:2: holds numbers outside of 0 to 1",
        "labels/a.txt:3: 4 numbers: 5 are a box",
        "labels/a.txt:4: 'x' is no number",
        "labels/a.txt:5: 6 numbers",
        "labels/gone.txt: belongs to no picture",
    ):
        assert says in text
    (source / "data.yaml").write_text("names: {0: cat, 2: dog}\n")
    assert "'names' has the numbers [0, 2], not 0 to 1" in refused(tmp_path, "yolo", source)[0]
    (source / "data.yaml").write_text("names: [cat\n")
    assert "data.yaml: no YAML: line 2, column 1: " in refused(tmp_path, "yolo", source)[0]
    (source / "data.yaml").write_text("train: ../../etc\nnames: [cat, dog, bird]\n")
    assert any("etc is not there, or outside of" in line for line in refused(tmp_path, "yolo", source))
    (source / "data.yaml").unlink()
    assert "has neither data.yaml nor classes.txt" in refused(tmp_path, "yolo", source)[0]


def test_cvat(tmp_path, drawn) -> None:
    source = made.cvat(tmp_path / "source", drawn)
    file = source / "annotations.xml"
    good = file.read_text(encoding="utf-8")
    odd = '<cuboid label="cat"/><polygon label="cow" points="1,1"/><polygon label="dog" points="1,1;2"/>'
    spoilt = good.replace("</image>", f"{odd}</image>", 1).replace('name="d.jpg"', 'name="gone.jpg"')
    file.write_text(spoilt, encoding="utf-8")
    text = " ".join(refused(tmp_path, "cvat", source))
    for says in (
        "a cuboid of cat is no shape that is read",
        "class 'cow' is not in the labels of annotations.xml",
        "polygon of dog: ['2'] is not 2 numbers",
        "image 4 (gone.jpg): picture 'gone.jpg' is missing in",
    ):
        assert says in text
    for broken, says in (
        (good[:-9], "no readable XML"),
        ("<annotations><track/></annotations>", "is CVAT for video"),
        ("<annotation/>", "its first element is 'annotation'"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', "document type"),
    ):
        file.write_text(broken, encoding="utf-8")
        assert says in refused(tmp_path, "cvat", source)[0]


def test_labelme(tmp_path, drawn) -> None:
    source = made.labelme(tmp_path / "source", drawn)
    content = json.loads((source / "a.json").read_text())
    content["imageWidth"] += 1
    content["shapes"] += [
        {"label": "cat", "shape_type": "cube", "points": []},
        {"label": "cat", "shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": "no base64!"},
        {"label": "", "points": []},
        {"label": "cat", "shape_type": "rectangle", "points": [[0, 0]]},
    ]
    (source / "a.json").write_text(json.dumps(content))
    (source / "d.json").write_text("{")
    text = " ".join(refused(tmp_path, "labelme", source))
    for says in (
        "shape 2: a cube is no shape that is read", "shape 3: its mask is no base64",
        "a label is '', no name", "shape 5: a rectangle has 1 points, not 2", "d.json: line 1 is no JSON",
        "a.png: is 48x32, its annotations are of 49x32",
    ):  # fmt: skip
        assert says in text, says


def test_label_studio(tmp_path, drawn) -> None:
    source = made.label_studio(tmp_path / "source", drawn)
    tasks = json.loads((source / "export.json").read_text())
    tasks[0]["annotations"] *= 2
    tasks[1]["annotations"][0]["result"][0]["original_width"] = 7
    tasks[2]["data"] = {"one": "a.png", "two": "b.png"}
    (source / "export.json").write_text(json.dumps(tasks))
    text = " ".join(refused(tmp_path, "label-studio", source))
    for says in (
        "task 0: 2 annotations: mark the one that counts as ground truth",
        "its results are of different sizes of the picture",
        "task 2: which of one, two is the picture, cannot be told",
    ):
        assert says in text
    (source / "export.json").write_text(json.dumps([{"image": "a.png", "label": []}]))
    assert "is it the export JSON, not JSON-MIN?" in refused(tmp_path, "label-studio", source)[0]


def test_onehot(tmp_path, drawn) -> None:
    source = made.onehot(tmp_path / "source", drawn)
    table = source / "table.csv"
    table.write_text("image,age,cat,dog,split\na.png,x,1,-1,train\nzz.png,y,0,1,train\nb c.jpg,y,,1,vall\n")
    lines = refused(tmp_path, "onehot", source)
    assert lines == [
        "table.csv:2: dog is '-1', neither 0 nor 1",
        f"table.csv:3: picture 'zz.png' is missing in {source}",
        "table.csv:4: cat is '', neither 0 nor 1; split is 'vall', neither train nor val",
    ]
    table.write_text("image,cat\na.png,1,0\n")
    assert "line 2 has not the 2 cells of the first line" in refused(tmp_path, "onehot", source)[0]
    table.write_bytes("image,k\xe4fer\na.png,1\n".encode("cp1252"))
    assert "is not UTF-8 text" in refused(tmp_path, "onehot", source)[0]


def test_imagefolder(tmp_path) -> None:
    pictures(tmp_path / "source/cat", "a.png")
    pictures(tmp_path / "source/dog;cow", "b.png")
    pictures(tmp_path / "source", "c.png")
    lines = refused(tmp_path, "imagefolder", tmp_path / "source")
    assert "c.png: lies in no folder of a class" in lines
    assert any("class 'dog;cow' holds a ';'" in line for line in lines)


def test_words_of_the_command(tmp_path, drawn) -> None:
    source = made.yolo(tmp_path / "source", drawn)
    for words, says in (
        (["pascal", str(source), "--out=o"], "format 'pascal': there are coco, yolo"),
        (["yolo", str(source / "none"), "--out=o"], "none is missing"),
        (["yolo", str(source), "--out=o", "--val=1.5"], "--val 1.5: a share between 0 and 1"),
        (["yolo", str(source), "--out=o", "--threshold=3"], "--threshold is of the format masks only"),
        (["yolo", str(source), f"--out={source}"], "is there already: name a new folder"),
        (["yolo", str(source), f"--out={source / 'new'}"], "lies in the folder of the pictures"),
        (["yolo", str(source), "--out=o", f"--classes={source / 'n'}"], "has its own list of classes"),
    ):
        (source / "n").write_text("cat\n")
        with pytest.raises(ValueError, match=says):
            main(words)


def test_a_split_of_the_source_is_not_drawn_again(tmp_path) -> None:
    for number, place in enumerate(("train/cat", "val/cat")):
        (tmp_path / "source" / place).mkdir(parents=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / "source" / place / "0.png")
    lines = refused(tmp_path, "imagefolder", tmp_path / "source", "--val=0.3")
    assert "the source has its own split" in lines[0]


def test_a_splits_share_is_asked_for(tmp_path) -> None:
    source = coco(tmp_path / "source", {"category_id": 7, "segmentation": [square(0, 0, 3)]})
    main(["coco", str(source), f"--out={tmp_path / 'out'}", "--val=0.5"])
    assert (tmp_path / "out/labels.csv").read_text().count(",val,") == 2
