"""Sets as they should be, and pictures of every kind, end in one canonical form."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.common.artifacts import read_json, read_mask, read_picture
from stages.common.fingerprint import file_hash
from stages.common.pictures import load_pictures


def rows(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(path).open()))


def test_voc_layout(voc):
    assert voc.run().splitlines() == [
        "dataset: 2 train and 1 val pictures, 2 classes, 3 masks",
        "  classes (train+val pictures): cat 2+0, dog 1+1",
        "  warning: one training picture only: dog",
        "  warning: not in val, so never scored there: cat",
        "  warning: every training picture has cat, so it cannot be learnt what it looks like: add pictures "
        "without it (an empty cell of labels means: no class)",
    ]
    assert read_json(Path("data/dataset/classes.json")) == ["background", "cat", "dog"]
    found = rows("data/dataset/index.csv")
    hashes = [row.pop("sha256") for row in found]
    assert hashes == [file_hash(Path(f"data/dataset/images/{row['file']}")) for row in found]
    assert [tuple(row.values()) for row in found] == [
        ("a", "a.jpg", "train", "8", "6", "cat"),
        ("b", "b.jpg", "train", "8", "6", "cat;dog"),
        ("c", "c.jpg", "val", "8", "6", "dog"),
    ]
    assert [tuple(row.values()) for row in rows("data/masks/index.csv")] == [
        ("a", "train"),
        ("b", "train"),
        ("c", "val"),
    ]
    assert Path("data/dataset/images/a.jpg").read_bytes() == (voc.root / "JPEGImages/a.jpg").read_bytes()
    mask = read_mask(Path("data/masks/a.png"))
    assert mask.shape == (6, 8) and sorted(np.unique(mask)) == [0, 1, 255]
    assert [picture.labels for picture in load_pictures().all] == [(1,), (1, 2), (2,)]


def test_labels_come_from_boxes_not_masks(voc):
    voc.mask("a", np.full((6, 8), 2, np.uint8))  # the mask shows a dog; the boxes name a cat
    voc.run()
    assert rows("data/dataset/index.csv")[0]["labels"] == "cat"


def test_an_annotation_without_objects_is_a_picture_without_a_class(voc):
    voc.picture("d.jpg", "train", "")
    voc.mask("d", np.zeros((6, 8), np.uint8))
    head, *odd = voc.run().splitlines()
    assert head == "dataset: 3 train and 1 val pictures (1 and 0 without a class), 2 classes, 4 masks"
    assert any("1 of 3 training pictures have no class, and none of val: how often" in line for line in odd)
    assert rows("data/dataset/index.csv")[2]["labels"] == ""
    assert [picture.labels for picture in load_pictures().all] == [(1,), (1, 2), (), (2,)]


def test_folder_without_masks_says_no_truth(good):
    assert good.run().splitlines()[0].endswith("2 classes, no truth")
    assert rows("data/masks/index.csv") == [] and sorted(os.listdir("data/masks")) == [
        "index.csv",
        "warnings.txt",
    ]


def test_masks_where_there_are(good):
    good.mask("a", np.ones((6, 8), np.uint8))
    (good.root / "classes.txt").write_text("dog\ncat\n")
    assert "1 masks" in good.run(truth="available")
    assert read_json(Path("data/dataset/classes.json")) == ["background", "dog", "cat"]
    assert [tuple(row.values()) for row in rows("data/masks/index.csv")] == [("a", "train")]


def test_identifier_of_a_picture_in_a_sub_folder(good):
    good.picture("trip/d.png", "train", "cat")
    good.run()
    assert Path("data/dataset/images/trip__d.png").is_file()


def test_one_class(make):
    found = make("folder")
    for name, split in (("a.png", "train"), ("b.png", "val")):
        found.picture(name, split, "cat")
    assert "1 classes" in found.run(truth="none")


def gradient(mode: str) -> Image.Image:
    values = np.linspace(0, 255, 6 * 8 * 3).reshape(6, 8, 3).astype(np.uint8)
    rgb = Image.fromarray(values)
    if mode == "I;16":
        return Image.fromarray(np.linspace(0, 65535, 48).reshape(6, 8).astype(np.uint16))
    if mode == "RGBA":
        rgb = rgb.convert("RGBA")
        rgb.putalpha(Image.fromarray(np.repeat([[0, 255]], 6, 0).repeat(4, 1).astype(np.uint8)))
        return rgb
    return rgb.convert(mode)


@pytest.mark.parametrize(
    ("mode", "name"),
    [("L", "d.png"), ("L", "d.jpg"), ("RGBA", "d.png"), ("P", "d.png"), ("CMYK", "d.jpg"), ("1", "d.png"),
     ("I;16", "d.png"), ("RGB", "d.bmp"), ("RGB", "d.webp"), ("P", "d.gif"), ("LA", "d.png")],
)  # fmt: skip
def test_every_mode_becomes_rgb_png(good, mode, name):
    image = gradient(mode)
    good.picture(name, "train", "cat", image)
    good.run()
    found = read_picture(Path("data/dataset/images/d.png"))
    assert found.shape == (6, 8, 3)
    stored = Image.open(good.root / "images" / name)
    if mode == "RGBA":
        assert (found[:, :4] == 255).all()  # what is transparent is white
        assert np.array_equal(found[:, 4:], np.asarray(image.convert("RGB"))[:, 4:])
    elif mode == "I;16":
        assert found[0, 0, 0] == 0 and found[-1, -1, 0] == 255 and abs(int(found[3, 0, 0]) - 130) <= 2
    else:
        assert np.array_equal(found, np.asarray(stored.convert("RGB")))


def test_dark_picture_of_16_bits_stays_dark(good):
    """The depth decides, not the values: 200 of 65535 is black, as in a brighter picture it would be."""
    good.picture("d.png", "train", "cat", Image.fromarray(np.full((6, 8), 200, np.uint16)))
    (good.picture("e.pgm", "train", "cat")).write_bytes(b"P5 2 1 65535\n\x01\x01\x80\x80")
    good.run()
    assert (read_picture(Path("data/dataset/images/d.png")) == 1).all()
    assert read_picture(Path("data/dataset/images/e.png"))[0, :, 0].tolist() == [1, 128]


def test_rgb_png_of_16_bits_becomes_8(good, png):
    good.picture("d.png", "train", "cat").write_bytes(png(bytes([200, 0] * 6), 2, 16, 2))
    good.run()
    assert Path("data/dataset/images/d.png").read_bytes()[24] == 8
    assert (read_picture(Path("data/dataset/images/d.png")) == 200).all()


def test_exif_rotation_is_applied_once(good):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to show
    good.picture("d.jpg", "train", "cat", gradient("RGB"), exif=exif)
    (good.root / "classes.txt").write_text("cat\ndog\n")
    good.mask("d", np.ones((8, 6), np.uint8))  # the mask is as the picture is shown
    good.run(truth="available")
    row = next(row for row in rows("data/dataset/index.csv") if row["id"] == "d")
    assert (row["width"], row["height"]) == ("6", "8")
    assert read_picture(Path("data/dataset/images/d.png")).shape == (8, 6, 3)


def test_one_pixel_high(good):
    good.picture("d.png", "train", "cat", gradient("RGB").crop((0, 0, 8, 1)))
    good.run()
    assert read_picture(Path("data/dataset/images/d.png")).shape == (1, 8, 3)


def test_a_plain_picture_reads_back_as_it_was(good):
    good.picture("d.png", "train", "cat", gradient("RGB"))
    good.run()
    assert np.array_equal(read_picture(Path("data/dataset/images/d.png")), np.asarray(gradient("RGB")))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1"])
def test_annotation_in_another_encoding(voc, encoding):
    declared = "utf-8" if encoding == "utf-8-sig" else encoding
    text = f'<?xml version="1.0" encoding="{declared}"?><a>\u00e9<object><name>cat</name></object></a>'
    voc.spoil = lambda: (voc.root / "Annotations/a.xml").write_bytes(text.encode(encoding))
    voc.run()
    assert rows("data/dataset/index.csv")[0]["labels"] == "cat"


def test_byte_order_marks_and_blank_lines_at_the_end(voc):
    split = voc.root / "ImageSets/Segmentation/train.txt"
    (voc.root / "classes.txt").write_text("cat\ndog\n\n \n", encoding="utf-8-sig")
    voc.spoil = lambda: split.write_text("a\nb\n", encoding="utf-8-sig")
    assert "2 train" in voc.run()
    assert read_json(Path("data/dataset/classes.json")) == ["background", "cat", "dog"]


def test_pictures_are_read_through_links(good):
    good.picture("d.png", "train", "cat").rename("elsewhere.png")
    (good.root / "images/d.png").symlink_to(Path("elsewhere.png").resolve())
    good.root.rename("elsewhere")
    good.root.symlink_to(Path("elsewhere").resolve())
    assert "3 train" in good.run()
    assert not Path("data/dataset/images/d.png").is_symlink()


def test_bad_pictures_can_be_skipped_and_are_listed(good):
    (good.picture("d.png", "train", "cat")).write_bytes(b"not a picture")
    line = good.run(bad_pictures="skip")
    assert "2 train and 1 val" in line and "1 bad pictures skipped" in line
    (skipped,) = rows("data/dataset/skipped.csv")
    assert skipped["file"].endswith("images/d.png") and "unreadable" in skipped["problem"]


def test_real_voc_pictures(make, monkeypatch):
    real = os.environ.get("WSSS_TEST_VOC")
    if not real:
        pytest.skip("WSSS_TEST_VOC is not set: the path of a set in VOC layout")
    found = make("voc")
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/mine").symlink_to(Path(real).resolve())
    monkeypatch.setattr(found, "_voc", lambda: None)
    assert "20 classes" in found.run()
    pictures = load_pictures()
    assert len(pictures.classes) == 21 and len(rows("data/masks/index.csv")) == len(pictures.all)
