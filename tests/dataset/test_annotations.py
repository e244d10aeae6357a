"""Boxes, points and scribbles: read of both layouts, checked against pictures and labels, and written."""

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from stages.common.annotations import Annotations, Box, Point, load_annotations
from stages.common.annotations_params import Kind
from stages.common.artifacts import mask_bytes, read_mask
from stages.common.pictures import load_pictures
from stages.dataset import marks

FOREIGN = "and the picture is labelled cat: add the label, or take it out"
EXIF = 0x0112
OUT = Path("data/annotations")


def loaded() -> Annotations:
    return load_annotations(load_pictures().classes)


def tree(*folders: str) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for f in folders for p in sorted(Path(f).rglob("*")) if p.is_file()}


def refused(found, lines: list[str], **params: object) -> None:
    """Exactly these lines are said, and nothing is written."""
    with pytest.raises(ValueError) as error:
        found.run(**params)
    head, *said = str(error.value).split("\n")
    assert [line.strip() for line in said] == lines
    assert head == f"data/raw/mine: {len(lines)} thing(s) to mend; nothing was written"
    assert sorted(path.name for path in Path("data").iterdir()) == ["raw"]


def xml(root: Path, name: str, *objects: tuple[object, ...], size: tuple[int, int] | None = (8, 6)) -> None:
    """VOC's file: objects are name, xmin, ymin, xmax, ymax, and what else is to be in them."""
    said = "" if size is None else f"<size><width>{size[0]}</width><height>{size[1]}</height></size>"
    for kind, *sides in objects:
        names = ("xmin", "ymin", "xmax", "ymax")
        box = "".join(f"<{side}>{value}</{side}>" for side, value in zip(names, sides[:4], strict=True))
        more = "".join(map(str, sides[4:]))
        said += f"<object><name>{kind}</name>{more}<bndbox>{box}</bndbox></object>"
    (root / f"Annotations/{name}.xml").write_text(f"<annotation>{said}</annotation>")


@pytest.fixture
def boxed(voc):
    """The VOC set with boxes: a shows a cat, b a dog and two cats, c, of val, a dog."""
    voc.values["annotations"] = "boxes"

    def spoil() -> None:
        xml(voc.root, "a", ("cat", 1, 1, 8, 6))
        xml(
            voc.root,
            "b",
            ("dog", 2, 3, 4, 5),
            ("cat", 5, 1, 5, 1, "<difficult>1</difficult>"),
            ("cat", 1, 1, 2, 2),
        )

    voc.spoil = spoil
    return voc


def strokes(*rows: str) -> np.ndarray:
    """`.` is where nobody drew."""
    return np.array([[255 if sign == "." else int(sign) for sign in row] for row in rows], np.uint8)


A = strokes("11......", "........", "....00..", "........", "........", "........")
B = strokes("1.......", "........", "2.......", "........", "........", "0.......")


@pytest.fixture
def scribbled(good):
    """The folder set with scribbles of its two pictures of train."""
    good.values["annotations"] = "scribbles"
    (good.root / "scribbles").mkdir(parents=True)
    for name, values in {"a": A, "b": B}.items():
        (good.root / f"scribbles/{name}.png").write_bytes(mask_bytes(values))
    return good


# --- what is there


def test_none_is_constant_and_no_line_is_said_of_it(good) -> None:
    assert "annotations" not in good.run()
    assert {p.name: p.read_bytes() for p in OUT.iterdir()} == {"about.json": b'{\n  "kind": "none"\n}\n'}
    assert loaded() == Annotations("none", {}, {}, OUT)


def test_boxes_of_voc_end_before_right_and_bottom(boxed) -> None:
    assert "  annotations: 4 boxes\n" in boxed.run()
    found = loaded()
    assert found.boxes == {
        "a": [Box(1, 1, 0, 0, 8, 6)],
        "b": [Box(1, 2, 1, 2, 4, 5), Box(2, 1, 4, 0, 5, 1), Box(3, 1, 0, 0, 2, 2)],
    }
    areas = [(box.right - box.left) * (box.bottom - box.top) for box in found.boxes["b"]]
    assert areas == [(4 - 2 + 1) * (5 - 3 + 1), 1, 4]  # both ends are inside in VOC
    assert json.loads((OUT / "about.json").read_text()) == {"kind": "boxes", "boxes": 4}
    assert not (OUT / "warnings.txt").read_text() and not list(OUT.glob("*.png"))


def test_boxes_with_decimals(boxed) -> None:
    boxed.spoil = lambda: (
        xml(boxed.root, "a", ("cat", 1.4, "2.5000001", 7.7, "5.70000076293945")),
        xml(boxed.root, "b", ("dog", 1, 1, 2, 2), ("cat", 3, 3, 3.2, 3)),
    )
    boxed.run()
    assert loaded().boxes["a"] == [Box(1, 1, 0, 2, 8, 6)]
    assert loaded().boxes["b"][1] == Box(2, 1, 2, 2, 3, 3)


def test_boxes_of_a_folder(good) -> None:
    table = "id,object,class,left,top,right,bottom\na,7,cat,0,0,8,6\nb,1,cat,1,2,3,4\nb,2,dog,0,0,1,1\n"
    (good.root / "boxes.csv").write_text(table)
    good.run(annotations="boxes")
    assert (OUT / "boxes.csv").read_text() == table  # what is written can be read


def test_boxes_by_file_without_objects_and_columns_in_any_order(good) -> None:
    rows = ["cat,a.png,8,6,0,0", "dog,b,1,1,0,0", "cat,b.png,3,4,2,1", "", "dog,c.png,99,9,9,9"]
    table = "\n".join(["class, File,right,bottom,top,left", *rows])
    (good.root / "boxes.csv").write_text(table)
    good.run(annotations="boxes")
    assert loaded().boxes == {
        "a": [Box(1, 1, 0, 0, 8, 6)], "b": [Box(1, 2, 0, 0, 1, 1), Box(2, 1, 1, 2, 3, 4)],
    }  # fmt: skip  # c is of val


def test_points_of_voc(voc) -> None:
    points = {
        "a": [{"x": 7, "y": 5, "cls": 1, "rank": 0}, {"x": 0, "y": 0, "cls": 0}],
        "b": [{"x": 1.9, "y": 2, "cls": 2}, {"x": 3, "y": 3, "cls": 1}, {"x": 3, "y": 3, "cls": 2}],
        "elsewhere": [{"x": 99, "y": 99, "cls": 9}],
    }
    voc.spoil = lambda: (voc.root / "points.json").write_text(json.dumps(points))
    assert "annotations: 5 points, 3.1 % of the pixels of 2 pictures" in voc.run(annotations="points")
    found = loaded()
    assert found.points == {
        "a": [Point(1, 1, 7, 5), Point(2, 0, 0, 0)],
        "b": [Point(1, 2, 1, 2), Point(2, 1, 3, 3), Point(3, 2, 3, 3)],
    }
    wanted = np.full((6, 8), 255, np.uint8)
    wanted[5, 7], wanted[0, 0] = 1, 0
    assert np.array_equal(found.marks("a"), wanted)
    wanted = np.full((6, 8), 255, np.uint8)
    wanted[2, 1] = 2  # two classes meet at 3, 3
    assert np.array_equal(found.marks("b"), wanted)


def test_points_of_a_folder(good) -> None:
    table = "id,object,class,x,y\na,1,cat,7,5\na,2,background,0,5\nb,1,cat,1,1\nb,2,dog,2,2\n"
    (good.root / "points.csv").write_text(table)
    good.run(annotations="points")
    assert (OUT / "points.csv").read_text() == table
    assert loaded().marks("a")[5].tolist() == [0, *[255] * 6, 1]


def test_scribbles_of_a_folder(scribbled) -> None:
    assert "annotations: scribbles, 7.3 % of the pixels of 2 pictures" in scribbled.run()
    assert np.array_equal(loaded().marks("a"), A) and np.array_equal(loaded().marks("b"), B)
    about = json.loads((OUT / "about.json").read_text())
    assert about == {"kind": "scribbles", "percent": round(100 * 7 / 96, 3), "pictures": 2}


def test_a_picture_without_a_class_needs_none(scribbled) -> None:
    scribbled.picture("d.png", "train", "")
    scribbled.run()
    assert (loaded().marks("d") == 255).all()
    (scribbled.root / "scribbles/d.png").write_bytes(mask_bytes(np.where(A == 0, 0, 255)))
    scribbled.run()
    assert {*np.unique(loaded().marks("d")).tolist()} == {0, 255}


def polygons(root: Path, name: str, *drawn: tuple[str, list[tuple[float, float]]]) -> None:
    said = ""
    for tag, spots in drawn:
        points = "".join(f"<point><X>{x}</X><Y>{y}</Y></point>" for x, y in spots)
        said += f"<polygon><tag>{tag}</tag>{points}</polygon>"
    (root / "Scribbles").mkdir(exist_ok=True)
    (root / f"Scribbles/{name}.xml").write_text(f"<annotation>{said}</annotation>")


@pytest.fixture
def lined(voc):
    """The VOC set with strokes of ScribbleSup of b, and a mask of a, which goes before its strokes."""
    voc.values["annotations"] = "scribbles"

    def spoil() -> None:
        polygons(voc.root, "a", ("cow", [(0, 0)]))
        (voc.root / "Scribbles/a.png").write_bytes(mask_bytes(A))
        polygons(
            voc.root, "b", ("cat", [(1, 1), (6, 1)]), ("dog", [(1, 4)]), ("background", [(6, 4), (6, 5)])
        )

    voc.spoil = spoil
    return voc


def test_strokes_are_three_pixels_wide(lined) -> None:
    lined.run()
    assert np.array_equal(loaded().marks("a"), A)
    wanted = strokes("11111111", "11111111", "11111111", "222..000", "222..000", "222..000")
    assert np.array_equal(loaded().marks("b"), wanted)


def test_strokes_that_leave_the_picture_end_at_its_edge(lined) -> None:
    before = lined.spoil
    lined.spoil = lambda: (
        before(),
        polygons(lined.root, "b", ("cat", [(-5, -1), (20, -1)]), ("dog", [(4, 6)])),
    )
    text = "strokes of 1 pictures leave the picture and end at its edge: b"
    assert f"warning: {text}" in lined.run()
    wanted = strokes("11111111", "........", "........", "........", "........", "...222..")
    assert np.array_equal(loaded().marks("b"), wanted)
    assert f"{text}\n" in (OUT / "warnings.txt").read_text()


def test_whole_masks_as_scribbles_are_warned_of(scribbled) -> None:
    whole = np.where(A == 255, 0, A)
    whole[5] = 255
    (scribbled.root / "scribbles/a.png").write_bytes(mask_bytes(whole))
    assert "warning: scribbles cover 45 % of the pixels: are these masks of whole objects?" in scribbled.run()


def test_marks_without_background_are_warned_of(scribbled) -> None:
    for name, values in {"a": A, "b": B}.items():
        (scribbled.root / f"scribbles/{name}.png").write_bytes(mask_bytes(np.where(values == 0, 255, values)))
    said = "none of the scribbles is on the background: a segmenter that learns from them alone marks every"
    assert f"warning: {said}" in scribbled.run() and said in (OUT / "warnings.txt").read_text()


# --- what is refused, in one line for each cause


def test_what_is_wrong_with_boxes_is_told_at_once(boxed) -> None:
    boxed.picture("d.jpg", "train", "cat", size := Image.new("RGB", (8, 6), "red"))
    boxed.picture("e.jpg", "train", "cat;dog", size)
    for name in "de":
        boxed.mask(name, np.eye(6, 8, dtype=np.uint8))
    before = boxed.spoil

    def spoil() -> None:
        before()
        xml(boxed.root, "a", ("cat", 1, 1, 9, 6))
        xml(boxed.root, "d", ("cat", 5.6, 1, 5.4, 3))
        xml(boxed.root, "e", ("cat", 1, 1, 2, "x"), ("dog", 0, 1, 2, 3))

    boxed.spoil = spoil
    refused(
        boxed,
        [
            "Annotations/a.xml: box 1 (1,1,9,6) lies outside of its picture, 8x6: mend it, or take it out",
            "Annotations/d.xml: box 1 (5.6,1,5.4,3) is empty: it holds no pixel. Mend it or take it out",
            "Annotations/e.xml: box 2 (0,1,2,3) lies outside of its picture, 8x6: mend it, or take it out; "
            "no box of object 1 (cat): 'x' is no number",
        ],
    )


def test_an_object_without_a_box(voc) -> None:
    with pytest.raises(ValueError, match=r"a\.xml: no box of object 1 \(cat\): bndbox/xmin is missing"):
        voc.run(annotations="boxes")


def test_what_is_wrong_with_boxes_of_a_folder(good) -> None:
    rows = [
        "a,1,cow,0,0,1,1",
        "a,2,dog,0,0,1,1",
        "b,1,cat,3,3,3,4",
        "b,1,cat,0,0,nan,1",
        "zz,1,cat,0,0,1,1",
        "b,1,cat,0",
    ]
    (good.root / "boxes.csv").write_text("\n".join(["id,object,class,left,top,right,bottom", *rows]))
    refused(
        good,
        [
            f"boxes.csv:2: box 1 (0,0,1,1) is of class 'cow', {FOREIGN}",
            f"boxes.csv:3: box 2 (0,0,1,1) is of class 'dog', {FOREIGN}",
            "a: no box of cat: draw one, or take the label out",
            "boxes.csv:4: box 1 (3,3,3,4) is empty: it holds no pixel. Mend it or take it out",
            "b: no box of dog: draw one, or take the label out",
            "boxes.csv:5: right: 'nan' is no pixel of a picture",
            "boxes.csv:6: 'zz' is no picture of the set: write its name as in labels.csv",
            "boxes.csv:7: top: None is no number",
        ],
        annotations="boxes",
    )


def test_points_outside_and_of_no_class(voc) -> None:
    points = {
        "a": [{"x": 8, "y": 5, "cls": 1}, {"x": 0, "y": -0.5, "cls": 1}, {"x": 1, "cls": 1}],
        "b": [{"x": 1, "y": 1, "cls": 3}, {"x": 1, "y": 1, "cls": 2}],
    }
    voc.spoil = lambda: (voc.root / "points.json").write_text(json.dumps(points))
    refused(
        voc,
        [
            "points.json: a: point 1 (8,5) lies outside of its picture, 8x6: mend it, or take it out; "
            "point 2 (0,-0.5) lies outside of its picture, 8x6: mend it, or take it out; "
            "point 3 has no y: needed are x, y and cls",
            "b: no point of cat: draw one, or take the label out",
            "points.json: b: point 1: cls is 3, and the classes are 1 to 2, the background 0",
        ],
        annotations="points",
    )


def test_what_is_wrong_with_scribbles(scribbled) -> None:
    for name in "defg":
        scribbled.picture(f"{name}.png", "train", "cat")
    wrong = {"a": A[:5], "b": np.where(B == 2, 1, B), "d": np.where(A == 1, 3, A)}
    wrong |= {"e": np.where(A == 0, 2, A), "f": np.where(A == 255, 0, A)}
    for name, values in wrong.items():
        (scribbled.root / f"scribbles/{name}.png").write_bytes(mask_bytes(values))
    refused(
        scribbled,
        [
            "g: no scribble of cat: draw one, or take the picture out of train",
            "scribbles/a.png: scribble is 8x5, its picture 8x6",
            "b: no stroke of dog: draw one, or take the label out",
            "scribbles/d.png: scribble holds 3: allowed are 0 to 2 (the classes) and 255 (void); is a class "
            "not listed?",
            f"scribbles/e.png: a stroke is of class 'dog', {FOREIGN}",
            "scribbles/f.png: a scribble labels every pixel: write 255 where nobody drew, 0 is a stroke on "
            "background",
        ],
    )


def test_what_is_wrong_with_strokes(lined) -> None:
    before = lined.spoil
    outside = [(9, 1), (30, 1)]
    lined.spoil = lambda: (before(), polygons(lined.root, "b", ("cat", outside), ("cow", [(1, 1)])))
    refused(
        lined,
        [
            "Scribbles/b.xml: stroke 1 (cat) lies outside of its picture, 8x6: mend it, or take it out; "
            "stroke 2 (cow) is of class 'cow', and the picture is labelled cat, dog: add the label, or take "
            "it out",
            "b: no stroke of dog: draw one, or take the label out",
        ],
    )


@pytest.mark.parametrize("kind", ["boxes", "points"])
def test_a_label_that_is_no_class_is_told_of_once(good, kind: str) -> None:
    (good.root / "classes.txt").write_text("cat\ndog\n")
    good.rows[0] = ("a.png", "train", "cat;zebra")
    sides = {"boxes": ("left,top,right,bottom", "0,0,2,2"), "points": ("x,y", "0,0")}[kind]
    rows = [f"{name},{sides[1]}" for name in ("a,cat", "a,zebra", "b,cat", "b,dog")]
    (good.root / f"{kind}.csv").write_text("\n".join([f"id,class,{sides[0]}", *rows]))
    refused(good, ["a: label 'zebra' is not in the class list"], annotations=kind)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("boxes", "boxes.csv is missing"),
        ("points", "points.csv is missing"),
        ("scribbles", "scribbles is missing: dataset.annotations scribbles needs ID.png in it"),
    ],
)
def test_a_folder_without_any(good, kind: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        good.run(annotations=kind)
    assert [path.name for path in Path("data").iterdir()] == ["raw"]


def test_a_table_without_a_column(good) -> None:
    (good.root / "boxes.csv").write_text("id,class,left,top,right\n")
    with pytest.raises(
        ValueError, match=r"boxes\.csv lacks the column\(s\) bottom; it needs id,object,class,left"
    ):
        good.run(annotations="boxes")


@pytest.mark.parametrize(
    "content", ["[1]", "{", '{"a": 3}', '{"a": [{"x": "left", "y": 1, "cls": 1}]}', '{"a": [3]}']
)
def test_points_that_are_no_points(voc, content: str) -> None:
    voc.spoil = lambda: (voc.root / "points.json").write_text(content)
    with pytest.raises(ValueError, match=r"points\.json"):
        voc.run(annotations="points")


# --- pictures that EXIF turns


def turned(found, orientation: int) -> None:
    """A picture of 8x6 as stored, whose pixel at column 7, row 0 alone is bright."""
    pixels = np.full((6, 8, 3), 60, np.uint8)
    pixels[0, 7] = 255
    exif = Image.Exif()
    exif[EXIF] = orientation
    found.picture("d.png", "train", "cat", Image.fromarray(pixels), exif=exif)


def test_boxes_are_of_the_upright_picture(boxed) -> None:
    """Orientation 6 turns it to the right: the bright pixel, a corner of 8x6, is the last of 6x8."""
    turned(boxed, 6)
    boxed.mask("d", np.eye(8, 6, dtype=np.uint8))
    before = boxed.spoil
    boxed.spoil = lambda: (before(), xml(boxed.root, "d", ("cat", 6, 8, 6, 8), size=(6, 8)))
    assert "warning: boxes" not in boxed.run()
    (box,) = loaded().boxes["d"]
    bright = np.asarray(Image.open("data/dataset/images/d.png"))
    assert bright.shape == (8, 6, 3) and bright[box.top : box.bottom, box.left : box.right].min() == 255


def test_boxes_of_the_picture_as_stored_are_refused(boxed) -> None:
    turned(boxed, 6)
    boxed.mask("d", np.eye(8, 6, dtype=np.uint8))
    before = boxed.spoil
    boxed.spoil = lambda: (before(), xml(boxed.root, "d", ("cat", 1, 1, 2, 2), size=(8, 6)))
    refused(
        boxed,
        [
            "d: boxes are of a picture of 8x6, it is 6x8 once turned by its EXIF orientation (6): they were "
            "drawn on the picture as stored. Turn them too, or take the orientation out of the picture's EXIF"
        ],
    )
    boxed.spoil = lambda: (before(), xml(boxed.root, "d", ("cat", 1, 1, 8, 2), size=None))
    refused(
        boxed,
        [
            "Annotations/d.xml: box 1 (1,1,8,2) lies outside of its picture, 6x8, once turned by its EXIF "
            "orientation (6): mend it, or take it out"
        ],
    )
    boxed.spoil = lambda: (before(), xml(boxed.root, "d", ("cat", 1, 1, 2, 2), size=None))
    assert "warning: boxes of 1 pictures may lie the wrong way: EXIF turns the pictures" in boxed.run()


def test_scribbles_follow_the_picture_as_masks_do(scribbled) -> None:
    turned(scribbled, 6)
    file = scribbled.root / "scribbles/d.png"
    upright = np.full((8, 6), 255, np.uint8)
    upright[7, 5] = 1
    file.write_bytes(mask_bytes(upright))
    scribbled.run()
    assert np.array_equal(loaded().marks("d"), upright)
    exif = Image.Exif()
    exif[EXIF] = 6
    Image.fromarray(np.rot90(upright).copy()).save(file, exif=exif)  # as stored, and says how it is turned
    scribbled.run()
    assert np.array_equal(loaded().marks("d"), upright)
    Image.fromarray(np.rot90(upright).copy()).save(file)
    with pytest.raises(ValueError, match=r"scribble is 8x6, its picture 6x8 once turned .* as stored"):
        scribbled.run()
    turned(scribbled, 3)
    scribbled.rows.pop()
    Image.fromarray(A).save(file)
    assert "warning: scribbles of 1 pictures may lie the wrong way" in scribbled.run()


# --- what reruns


def test_another_kind_leaves_pictures_and_masks_as_they_are(boxed, monkeypatch) -> None:
    before = boxed.spoil

    def spoil() -> None:
        before()
        points = {"a": [{"x": 1, "y": 1, "cls": 1}], "b": [{"x": 1, "y": 1, "cls": c} for c in (1, 2)]}
        points["b"][1]["x"] = 3
        (boxed.root / "points.json").write_text(json.dumps(points))
        (boxed.root / "Scribbles").mkdir(exist_ok=True)
        for name, values in {"a": A, "b": B}.items():
            (boxed.root / f"Scribbles/{name}.png").write_bytes(mask_bytes(values))

    boxed.spoil = spoil
    seen = {}
    kinds = get_args(Kind)
    for kind in kinds:
        boxed.run(annotations=kind)
        assert loaded().kind == kind
        seen[kind] = tree("data/dataset", "data/masks"), tree("data/annotations")
    assert len({str(sorted(one.items())) for one, _ in seen.values()}) == 1
    assert len({str(sorted(other.items())) for _, other in seen.values()}) == len(kinds)
    boxed.run(annotations="none")
    assert tree("data/annotations") == seen["none"][1]


def test_a_scribble_is_decoded_once(scribbled, monkeypatch) -> None:
    decoded = []
    real = marks.decode_mask
    monkeypatch.setattr(marks, "decode_mask", lambda *all: decoded.append(all[0]) or real(*all))
    scribbled.run()
    first = tree("data/annotations")
    scribbled.run()
    assert len(decoded) == 2 and tree("data/annotations") == first
    (scribbled.root / "scribbles/a.png").write_bytes(mask_bytes(np.roll(A, 1, 0)))
    scribbled.run()
    assert len(decoded) == 3 and (loaded().marks("a")[1, :2] == 1).all()


def test_bad_pictures_that_are_skipped_need_none(scribbled) -> None:
    scribbled.picture("d.png", "train", "cat")
    scribbled.spoil = lambda: (scribbled.root / "images/d.png").write_bytes(b"no picture")
    assert "1 bad pictures skipped" in scribbled.run(bad_pictures="skip")
    assert not (OUT / "d.png").exists() and read_mask(OUT / "a.png").shape == (6, 8)
