"""What is drawn besides plain areas: crowds, overlaps, boxes, points, lines, tags."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.commands.importing.__main__ import main
from stages.common.artifacts import read_mask
from tests.commands.importing.made import compressed, run_lengths
from tests.commands.importing.test_round_trip import rows

SIZE = (20, 10)


def pictures(root: Path, *names: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", SIZE, (40 * number, 90, 90)).save(root / name)


def square(left: int, top: int, side: int) -> list[int]:
    return [left, top, left + side, top, left + side, top + side, left, top + side]


def coco(root: Path, *annotations: dict, categories=((7, "cat"), (90, "dog"))) -> Path:
    """Pictures 1 (a.png) to 4; each of the others has a cat and a dog as boxes of areas."""
    pictures(root, "a.png", "b.png", "c.png", "d.png")
    plain = [
        {
            "image_id": image,
            "category_id": kind,
            "segmentation": [square(left, 0, 4)],
            "bbox": [left, 0, 4, 4],
        }
        for image in (2, 3, 4)
        for kind, left in ((7, 0), (90, 8))
    ]
    content = {
        "images": [{"id": n, "file_name": f"{name}.png"} for n, name in enumerate("abcd", 1)],
        "annotations": [{"id": n, "image_id": 1, **each} for n, each in enumerate([*annotations, *plain], 1)],
        "categories": [{"id": number, "name": name} for number, name in categories],
    }
    (root / "coco.json").write_text(json.dumps(content))
    return root


def test_what_lies_on_top_in_coco(tmp_path, capsys) -> None:
    """The smaller over the larger, the later over its like, a crowd under all; ids 7 and 90 are 1 and 2."""
    crowd = np.zeros((10, 20), bool)
    crowd[:, :12] = True
    counts = run_lengths(crowd.T.ravel())
    source = coco(
        tmp_path / "source",
        {"category_id": 90, "segmentation": [square(2, 2, 3)]},
        {"category_id": 7, "segmentation": [square(1, 1, 6)]},
        {"category_id": 90, "segmentation": [square(12, 2, 4)]},
        {"category_id": 7, "segmentation": [square(14, 2, 4)]},
        {"category_id": 7, "iscrowd": 1, "segmentation": {"size": [10, 20], "counts": compressed(counts)}},
        {"category_id": 7, "segmentation": [[3, 3, 9, 3]]},
        {"category_id": 7, "segmentation": [square(16, 7, 1), square(18, 7, 1)]},
    )
    main(["coco", str(source), f"--out={tmp_path / 'out'}"])
    expected = np.zeros((10, 20), np.uint8)
    expected[:, :12] = 255
    expected[1:7, 1:7] = 1
    expected[2:5, 2:5] = 2
    expected[2:6, 12:16] = 2
    expected[2:6, 14:18] = 1
    expected[7, [16, 18]] = 1
    assert np.array_equal(read_mask(tmp_path / "out/masks/a.png"), expected)
    said = capsys.readouterr().out
    assert "category ids 7 to 90 become 1 to 2 by their order" in said
    assert "a.png: an area of cat covers the centre of no pixel: it is not in the mask" in said
    assert (tmp_path / "out/classes.txt").read_text() == "cat\ndog\n"


def test_boxes_of_coco_stay_in_their_pictures(tmp_path, capsys) -> None:
    source = coco(
        tmp_path / "source",
        {"category_id": 7, "bbox": [1.25, 2, 3.5, 4]},
        {"category_id": 7, "bbox": [15, 5, 9, 5.004]},
        {"category_id": 90, "bbox": [3.1, 4, 0.2, 0.1]},
    )
    main(["coco", str(source), f"--out={tmp_path / 'out'}"])
    found = [row for row in rows(tmp_path / "out/boxes.csv") if row["id"] == "a.png"]
    assert [[row[key] for key in ("object", "class", "left", "top", "right", "bottom")] for row in found] == [
        ["1", "cat", "1.25", "2", "4.75", "6"],
        ["2", "cat", "15", "5", "20", "10"],
        ["3", "dog", "3", "4", "4", "5"],
    ]
    said = capsys.readouterr().out
    assert "a box leaves the picture: it ends at the edge" in said
    assert "a box is thinner than a pixel: it becomes the pixel that it begins in" in said
    assert "1 pictures have no mask" in said and not (tmp_path / "out/masks/a.png").exists()
    assert "wsss preset voc-mobilenet-boxes" in said and "3 masks, 9 boxes" in said


def test_a_mask_is_whole_or_not_there(tmp_path) -> None:
    """One cat of the picture is drawn as an area, the other as a box alone."""
    source = coco(
        tmp_path / "source",
        {"category_id": 7, "segmentation": [square(0, 0, 3)]},
        {"category_id": 7, "bbox": [8, 2, 4, 4]},
    )
    main(["coco", str(source), f"--out={tmp_path / 'out'}"])
    assert sorted(p.name for p in (tmp_path / "out/masks").iterdir()) == ["b.png", "c.png", "d.png"]


CVAT = """<annotations>
<image id="0" name="a.png" width="20" height="10" subset="Train">
  <polygon label="cat" points="1,1;5,1;5,5;1,5" z_order="1"/>
  <polygon label="dog" points="3,3;5,3;5,5;3,5" z_order="0"/>
  <polygon label="Background" points="1,1;2,1;2,2;1,2" z_order="2"/>
  <ellipse label="dog" cx="12" cy="5" rx="3" ry="3" z_order="0"/>
  <box label="cat" xtl="16" ytl="2" xbr="20" ybr="4" rotation="90" z_order="0"/>
</image>
<image id="1" name="b.png" width="20" height="10" subset="Train">
  <box label="cat" xtl="1.5" ytl="2" xbr="4" ybr="5" z_order="0"/>
  <points label="dog" points="7.25,3;20,9.9"/>
  <points label="background" points="0,0"/>
</image>
<image id="2" name="c.png" width="20" height="10" subset="Train">
  <polyline label="cat" points="1,5;6,5"/><polyline label="background" points="10,2;14,2"/>
  <tag label="dog"/>
</image>
<image id="3" name="d.png" width="20" height="10" subset="Validation"></image>
<image id="4" name="e.png" width="20" height="10" subset="test"></image>
</annotations>"""


def test_all_shapes_of_cvat(tmp_path, capsys) -> None:
    pictures(tmp_path / "source/images", "a.png", "b.png", "c.png", "d.png")
    (tmp_path / "source/annotations.xml").write_text(CVAT)
    main(["cvat", str(tmp_path / "source"), f"--out={tmp_path / 'out'}"])
    labels = [(row["file"], row["split"], row["labels"]) for row in rows(tmp_path / "out/labels.csv")]
    assert labels == [
        ("a.png", "train", "cat;dog"),
        ("b.png", "train", "cat;dog"),
        ("c.png", "train", "cat;dog"),
        ("d.png", "val", ""),
    ]
    expected = np.zeros((10, 20), np.uint8)
    x, y = np.meshgrid(np.arange(20) + 0.5, np.arange(10) + 0.5)
    expected[(x - 12) ** 2 + (y - 5) ** 2 <= 9] = 2
    expected[1:5, 1:5] = 1  # z order 1 lies over 0, though the dog is smaller
    expected[1, 1] = 0
    expected[1:5, 17:19] = 1  # 4 by 2 about (18, 3), turned: 2 by 4
    assert np.array_equal(read_mask(tmp_path / "out/masks/a.png"), expected)
    assert not read_mask(tmp_path / "out/masks/d.png").any()
    assert sorted(path.name for path in (tmp_path / "out/masks").iterdir()) == ["a.png", "d.png"]
    box = rows(tmp_path / "out/boxes.csv")
    assert [(b["id"], b["class"], b["left"], b["right"]) for b in box] == [("b.png", "cat", "1.5", "4")]
    points = [(p["class"], p["x"], p["y"]) for p in rows(tmp_path / "out/points.csv")]
    assert points == [("dog", "7.25", "3"), ("dog", "19.5", "9.9"), ("background", "0", "0")]
    scribble = read_mask(tmp_path / "out/scribbles/c.png")
    expected = np.full((10, 20), 255, np.uint8)
    expected[4:7, 0:8] = 1
    expected[1:4, 9:16] = 0
    assert np.array_equal(scribble, expected)
    said = capsys.readouterr().out
    assert "(e.png): is of the subset test: left out" in said and "2 pictures have no mask" in said


def test_other_shapes_of_labelme(tmp_path, capsys) -> None:
    pictures(tmp_path / "source", "a.png", "b.png", "c.png")
    shapes = [
        {"label": "cat", "shape_type": "rectangle", "points": [[9, 8], [2, 3]]},
        {"label": "cat", "shape_type": "point", "points": [[4, 5]]},
        {"label": "cat", "shape_type": "linestrip", "points": [[4, 5], [9, 5], [9, 7]]},
    ]
    circle = [{"label": "cat", "shape_type": "circle", "points": [[8, 5], [8, 1]]}]
    for name, drawn in (("a", shapes), ("b", circle)):
        content = {"imagePath": f"..\\source\\{name}.png", "shapes": drawn, "flags": {"blurred": True}}
        (tmp_path / f"source/{name}.json").write_text(json.dumps(content))
    main(["labelme", str(tmp_path / "source"), f"--pictures={tmp_path}", f"--out={tmp_path.parent / 'o'}"])
    out = tmp_path.parent / "o"
    assert [(b["left"], b["top"], b["right"], b["bottom"]) for b in rows(out / "boxes.csv")] == [
        ("2", "3", "9", "8")
    ]
    assert [(p["x"], p["y"]) for p in rows(out / "points.csv")] == [("4", "5")]
    assert (read_mask(out / "scribbles/a.png") == 0).sum() == 0
    assert (read_mask(out / "scribbles/a.png") == 1).sum() == 8 * 3 + 2 * 3
    x, y = np.meshgrid(np.arange(20) + 0.5, np.arange(10) + 0.5)
    assert np.array_equal(read_mask(out / "masks/b.png"), (x - 8) ** 2 + (y - 5) ** 2 <= 16)
    said = capsys.readouterr().out
    assert "its flags are not read (blurred)" in said and "source/c.png: has no JSON: left out" in said


def test_other_results_of_label_studio(tmp_path, capsys) -> None:
    pictures(tmp_path / "source", "a.png", "b.png", "c.png", "d.png")
    size = {"original_width": 20, "original_height": 10}
    box = {"x": 10, "y": 20, "width": 25, "height": 30, "rotation": 0, "rectanglelabels": ["cat", "dog"]}
    turned = {"x": 50, "y": 20, "width": 20, "height": 20, "rotation": 90, "rectanglelabels": ["cat"]}
    ellipse = {"x": 20, "y": 50, "radiusX": 10, "radiusY": 20, "rotation": 0, "ellipselabels": ["cat"]}
    point = {"x": 50, "y": 50, "width": 1, "keypointlabels": ["dog"]}
    results = {
        "upload/1/0a1b2c3d-a.png": [{"type": "rectanglelabels", **size, "value": box}],
        "s3://bucket/b.png": [
            {"type": "rectanglelabels", **size, "value": turned},
            {"type": "ellipselabels", **size, "value": ellipse},
            {"type": "textarea", "value": {"text": ["odd"]}},
        ],
        "https://host/c.png?v=2": [
            {"type": "choices", "value": {"choices": ["cat"]}},
            {"type": "keypointlabels", **size, "value": point},
        ],
    }
    tasks = [
        {"id": n, "data": {"image": name}, "annotations": [{"result": result}, {"was_cancelled": True}]}
        for n, (name, result) in enumerate(results.items())
    ]
    tasks.append({"id": 9, "data": {"image": "d.png"}, "annotations": []})
    (tmp_path / "source/tasks.json").write_text(json.dumps(tasks))
    main(["label-studio", str(tmp_path / "source/tasks.json"), f"--out={tmp_path / 'out'}"])
    labels = [(row["file"], row["labels"]) for row in rows(tmp_path / "out/labels.csv")]
    assert labels == [("a.png", "cat;dog"), ("b.png", "cat"), ("c.png", "cat;dog")]
    found = [
        (b["class"], b["left"], b["top"], b["right"], b["bottom"]) for b in rows(tmp_path / "out/boxes.csv")
    ]
    assert found == [("cat", "2", "2", "7", "5"), ("dog", "2", "2", "7", "5")]
    assert [(p["x"], p["y"]) for p in rows(tmp_path / "out/points.csv")] == [("10", "5")]
    x, y = np.meshgrid(np.arange(20) + 0.5, np.arange(10) + 0.5)
    expected = ((x - 4) / 2) ** 2 + ((y - 5) / 2) ** 2 <= 1
    expected[2:6, 8:10] = True  # 4 by 2 at (10, 2), turned about that corner: to the left and down
    assert np.array_equal(read_mask(tmp_path / "out/masks/b.png"), expected)
    said = capsys.readouterr().out
    assert "task 9: nobody has labelled it: left out" in said and "a textarea is not read" in said


def test_boxes_of_yolo_with_splits_and_pictures_without_a_file(tmp_path, capsys) -> None:
    root = tmp_path / "source"
    for place, names in (("train", "ab"), ("valid", "c"), ("test", "d")):
        pictures(root / place / "images", *(f"{name}.png" for name in names))
    for name in ("train/labels/a", "valid/labels/c"):
        (root / f"{name}.txt").parent.mkdir(exist_ok=True)
        (root / f"{name}.txt").write_text("1 0.5 0.5 0.2 0.4\n\n0 0.1 0.1 0.2 0.2\n")
    (root / "data.yaml").write_text(
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 2\nnames: ['cat', 'dog']\n"
    )  # as Roboflow writes it
    main(["yolo", str(root), f"--out={tmp_path / 'out'}"])
    assert [(row["file"], row["split"], row["labels"]) for row in rows(tmp_path / "out/labels.csv")] == [
        ("train/images/a.png", "train", "cat;dog"),
        ("train/images/b.png", "train", ""),
        ("valid/images/c.png", "val", "cat;dog"),
    ]
    first = rows(tmp_path / "out/boxes.csv")[0]
    assert [first[side] for side in ("class", "left", "top", "right", "bottom")] == [
        "dog",
        "8",
        "3",
        "12",
        "7",
    ]
    said = capsys.readouterr().out
    assert "b.png: has no file of labels: without any class, as YOLO reads it" in said
    assert "d.png: is of the split test: left out" in said


def test_a_picture_that_exif_turns(tmp_path) -> None:
    """Its annotations are of the upright one, 10 wide and 20 high; else it is refused."""
    source = coco(tmp_path / "source", {"category_id": 7, "segmentation": [square(0, 0, 3)]})
    exif = Image.Exif()
    exif[0x112] = 6
    Image.new("RGB", SIZE).save(source / "a.png", exif=exif)
    content = json.loads((source / "coco.json").read_text())
    content["images"][0] |= {"width": 10, "height": 20}
    (source / "coco.json").write_text(json.dumps(content))
    main(["coco", str(source), f"--out={tmp_path / 'out'}"])
    mask = read_mask(tmp_path / "out/masks/a.png")
    assert mask.shape == (20, 10) and mask[:3, :3].all() and mask.sum() == 9
    content["images"][0] |= {"width": 20, "height": 10}
    (source / "coco.json").write_text(json.dumps(content))
    with pytest.raises(
        ValueError, match=r"a\.png: is 10x20, its annotations are of 20x10: they were drawn on it as"
    ):
        main(["coco", str(source), f"--out={tmp_path / 'two'}"])


@pytest.mark.parametrize(("sound", "preset"), [(1, "voc-mobilenet"), (2, "defects-mobilenet")])
def test_the_recipe_for_pictures_of_which_many_show_nothing(tmp_path, capsys, sound, preset) -> None:
    """One of five is no more than a fifth, two are."""
    pictures(tmp_path / "source/images", *(f"{n}.png" for n in range(5)))
    (tmp_path / "source/masks").mkdir()
    for number in range(5):
        mask = np.zeros((10, 20), np.uint8)
        mask[2:5, 3:9] = number >= sound
        Image.fromarray(mask).save(tmp_path / f"source/masks/{number}.png")
    (tmp_path / "source/classes.txt").write_text("crack\n")
    main(["masks", str(tmp_path / "source"), f"--out={tmp_path / 'out'}"])
    said = capsys.readouterr().out
    assert f", {sound} without a class;" in said and f"  wsss preset {preset}    # or another" in said
    assert "truth: available; generate: of: []" in said
