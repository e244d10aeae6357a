"""Each bad input has its message, and leaves no output."""

import os

import numpy as np
import pytest
from PIL import Image


def refused(found, *messages: str, **params: object) -> str:
    """The step's one error holds all of `messages`, and nothing was written, not even half."""
    with pytest.raises(ValueError) as error:
        found.run(**params)
    for message in messages:
        assert message in str(error.value), str(error.value)
    assert sorted(os.listdir("data")) == ["raw"]
    return str(error.value)


def test_all_problems_at_once_by_file(good):
    good.picture("d.png", "train", "cta").write_bytes(b"")
    good.picture("e.png", "val", "bird")
    (good.root / "classes.txt").write_text("cat\ndog\nbird\n")
    text = refused(
        good,
        "d: label 'cta' is not in the class list; did you mean cat?",
        "images/d.png: unreadable or truncated",
        "bird: the class has no training picture",
        "3 thing(s) to mend; nothing was written",
    )
    assert len(text.splitlines()) == 4


def test_truncated_picture(good):
    path = good.picture("d.jpg", "train", "cat", Image.effect_noise((64, 64), 50).convert("RGB"))
    path.write_bytes(path.read_bytes()[:900])
    refused(good, "images/d.jpg: unreadable or truncated")


def test_missing_picture(good):
    good.picture("d.png", "train", "cat").unlink()
    refused(good, "images/d.png: is missing")
    refused(good, "images/d.png: is missing", bad_pictures="skip")  # the list is wrong, not the picture


def test_picture_that_is_a_folder_or_a_dead_link(good):
    good.picture("d.png", "train", "cat").unlink()
    (good.root / "images/d.png").mkdir()
    good.picture("e.png", "train", "cat").unlink()
    (good.root / "images/e.png").symlink_to("nowhere.png")
    refused(good, "images/d.png: cannot be read: Is a directory", "images/e.png: is missing")


def test_decompression_bomb_is_seen_before_it_is_decoded(good):
    good.picture("d.png", "train", "cat", Image.new("RGB", (400, 300)))
    refused(good, "120000 pixels) is more than dataset.max_megapixels (0.1)", max_megapixels=0.1)
    refused(good, "120000 pixels) is more than dataset.max_megapixels (0.01)", max_megapixels=0.01)
    assert "3 train" in good.run(max_megapixels=0.12)


def test_our_limit_of_size_is_the_only_one(good, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow refuses twice as many
    good.picture("d.png", "train", "cat", Image.new("RGB", (400, 300)))
    assert "3 train" in good.run(max_megapixels=500)
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_no_format_that_starts_a_program(good):
    good.picture("d.png", "train", "cat", Image.new("RGB", (8, 6)), format="EPS")
    refused(good, "d.png: unreadable or truncated, or not JPEG/PNG/BMP/GIF/TIFF/WEBP/PPM")


def test_picture_whose_white_is_unknown(good):
    good.picture("d.tif", "train", "cat", Image.fromarray(np.full((6, 8), 2, np.float32)))
    good.picture("e.tif", "train", "cat", Image.fromarray(np.full((6, 8), 2, np.int32)))
    good.picture("f.tif", "train", "cat", Image.fromarray(np.full((6, 8), np.nan, np.float32)))
    refused(
        good,
        "d.tif: picture of floats from 2 to 2 (of the whole set only 0 to 1 is read), whose white is unknown",
        "e.tif: picture of 32-bit numbers, whose white is unknown",
        "f.tif: picture of floats that are not all finite",
    )


def test_mask_of_another_size(voc):
    voc.mask("a", np.zeros((6, 7), np.uint8))
    refused(voc, "SegmentationClass/a.png: mask is 7x6, its picture 8x6")


def test_mask_value_outside_the_classes(voc):
    voc.mask("b", np.full((6, 8), 3, np.uint8))
    refused(
        voc, "b.png: mask holds 3: allowed are 0 to 2 (the classes) and 255 (void); is a class not listed?"
    )


def test_mask_that_is_no_palette_or_grey_picture(voc):
    Image.new("RGB", (8, 6), "red").save(voc.root / "SegmentationClass/a.png")
    refused(voc, "a.png: mask is RGB")


@pytest.mark.parametrize(("bits", "row"), [(2, b"\x00\x1b"), (4, b"\0\0\1\2")])
def test_mask_of_other_depth_than_8_bits(good, png, bits, row):
    """Two bits: Pillow makes 0, 1, 2, 3 into 0, 85, 170, 255, so that class 3 would be void."""
    good.picture("d.png", "train", "cat", Image.new("RGB", (8, 1)))
    (good.root / "classes.txt").write_text("cat\ndog\n")
    (good.root / "masks").mkdir()
    (good.root / "masks/d.png").write_bytes(png(row, 8, bits, 0))
    refused(good, f"mask is L of {bits} bits", truth="available")


def test_missing_mask_where_truth_is_required(voc):
    (voc.root / "SegmentationClass/c.png").unlink()
    refused(voc, "SegmentationClass/c.png: is missing")
    refused(voc, "SegmentationClass/c.png: is missing", bad_pictures="skip")
    assert "2 masks" in voc.run(truth="available")


@pytest.mark.parametrize(
    "identifier",
    ["../x", "../../x", "/etc/x", "..", ".hidden", "a:b", "x" * 201, "\u4e2d" * 67, "a\x7fb", "a\x9bb"],
)
def test_unsafe_identifier(voc, identifier):
    split = voc.root / "ImageSets/Segmentation/train.txt"
    voc.spoil = lambda: split.write_text(split.read_text() + identifier + "\n")
    text = refused(voc, "unsafe identifier" if identifier != ".." else "..", "1 thing(s) to mend")
    assert text.replace("\n", "").isprintable() and "no label" not in text


def test_longest_identifier(good):
    good.picture("\u4e2d" * 66 + ".png", "train", "cat")  # 198 bytes
    assert "3 train" in good.run()


def test_nothing_outside_the_set_is_opened(voc):
    (voc.root / "../x.xml").write_text("<annotation")  # Annotations/../../x.xml
    split = voc.root / "ImageSets/Segmentation/train.txt"
    voc.spoil = lambda: split.write_text(split.read_text() + "../../x\n")
    assert "x.xml" not in refused(voc, "../../x: unsafe identifier")


@pytest.mark.parametrize("file", ["../../x.png", "/x.png", "", "a\\b.png"])
def test_unsafe_file_of_a_folder_set(good, file):
    good.rows.append((file, "train", "cat"))
    refused(good, "identifier")


def test_double_identifier(good):
    good.rows.append(good.rows[0])
    refused(good, "a: is there 2 times")


def test_identifier_in_two_splits(good):
    good.rows.append(("a.png", "val", "cat"))
    refused(good, "a: is in both splits, train and val")


def test_identifiers_that_differ_by_case(good):
    good.picture("A.jpg", "train", "cat")
    refused(good, "A: differs from a only by case")


def test_empty_split(good):
    good.rows = [row for row in good.rows if row[1] == "train"]
    refused(good, "val: the split is empty")


def test_unknown_split(good):
    good.rows.append(("d.png", "test", "cat"))
    refused(good, "labels.csv:5: split is 'test', not train or val")


def test_skipping_the_last_picture_of_a_class_is_still_an_error(good):
    good.picture("d.png", "train", "bird").write_bytes(b"")
    refused(good, "bird: the class has no training picture", bad_pictures="skip")


def test_structural_problems_are_not_skipped(good):
    good.picture("d.png", "train", "cta")
    (good.root / "classes.txt").write_text("cat\ndog\n")
    refused(good, "d: label 'cta' is not in the class list", bad_pictures="skip")


def test_a_set_without_any_label(good):
    good.rows = [(name, split, "") for name, split, _ in good.rows]
    refused(good, "labels: no picture has any")
    (good.root / "classes.txt").write_text("cat\ndog\n")
    refused(good, "labels: no picture has any")


def test_labels_in_val_only(good):
    """Training would see pictures without a class alone."""
    good.rows = [(name, split, "" if split == "train" else "dog") for name, split, _ in good.rows]
    refused(good, "dog: the class has no training picture")


def test_annotation_missing_or_hostile(voc):
    def spoil() -> None:
        (voc.root / "Annotations/a.xml").unlink()
        bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><annotation><object><name>&a;</name></object></annotation>'
        (voc.root / "Annotations/b.xml").write_text(bomb)
        (voc.root / "Annotations/c.xml").write_text("<annotation>")

    voc.spoil = spoil
    refused(
        voc,
        "a.xml: missing",
        "b.xml: not a readable annotation",
        "declares entities",
        "c.xml: not a readable",
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8", "utf-8-sig"])
def test_annotation_in_another_encoding_hides_no_entity(voc, encoding):
    bomb = '<!DOCTYPE x [<!ENTITY a "cat">]><annotation><object><name>&a;</name></object></annotation>'
    voc.spoil = lambda: (voc.root / "Annotations/a.xml").write_bytes(bomb.encode(encoding))
    refused(voc, "a.xml: not a readable annotation", "1 thing(s) to mend")


@pytest.mark.parametrize("start", ['<?xml version="1.0" encoding="hex"?>', "\0", " " * (1 << 20)])
def test_annotation_that_is_none(voc, start):
    text = start + "<annotation><object><name>cat</name></object></annotation>"
    voc.spoil = lambda: (voc.root / "Annotations/a.xml").write_text(text)
    refused(voc, "a.xml: not a readable annotation", "1 thing(s) to mend")


def test_broken_annotation_alone_is_reported(voc):
    """Its picture is not taken for one without any class, nor its classes for ones without a picture."""
    voc.spoil = lambda: (voc.root / "Annotations/b.xml").write_text("<annotation>")
    text = refused(voc, "b.xml: not a readable annotation", "1 thing(s) to mend")
    assert "no training picture" not in text


def test_many_problems_are_counted_not_shown(good):
    (good.root / "classes.txt").write_text("cat\ndog\n")
    wrong = [f"cat {chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(35)]
    for label in wrong:
        good.picture(f"{label}.png", "train", label)
    text = refused(good, "35 thing(s) to mend", f"{wrong[29]}: label '{wrong[29]}' is not in the class list")
    assert text.splitlines()[-1] == "  ... and 5 more" and len(text.splitlines()) == 32


def test_one_cause_is_one_line_with_its_files(good):
    good.rows += [(f"x{number:02}.png", "train", "cat") for number in range(35)]
    shown = "images/x00.png, images/x01.png, images/x02.png"
    text = refused(good, "1 thing(s) to mend")
    assert text.splitlines()[1:] == [f"  {shown} and 32 more: is missing"]


def test_causes_that_differ_by_a_number_are_one(voc):
    for number in range(5):
        voc.picture(f"x{number}.jpg", "train", "cat")
        voc.mask(f"x{number}", np.zeros((6, 3 + number), np.uint8))
    text = refused(voc, "x2.png and 2 more: mask is 3x6, its picture 8x6, and alike", "1 thing(s) to mend")
    assert len(text.splitlines()) == 2


def test_layouts_that_are_not_there(good, make):
    good.values["source"] = "voc"
    refused(good, "has no folder JPEGImages")
    good.values["name"] = "other"
    refused(good, "data/raw/other is missing: `wsss link other PATH`")
    good.values["name"] = "synthetic"
    assert "link" not in refused(good, "data/raw/synthetic is missing: `dvc repro generate` makes it")


def test_more_cells_than_columns(good):
    good.rows.insert(1, ("d.png", "train", "cat", "dog"))
    refused(good, "labels.csv: more cells than columns in line 3; labels are separated by ';'")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'd.png,train,"cat\n', "labels.csv: not CSV after line 4"),
        (b"\xff.png,train,cat\n", "labels.csv is not UTF-8"),
    ],
)
def test_damaged_csv(good, line, message):
    path = good.root / "labels.csv"
    good.spoil = lambda: path.write_bytes(path.read_bytes() + line)
    refused(good, message)


def test_blank_lines_do_not_shift_the_number_of_a_line(good):
    path = good.root / "labels.csv"
    good.spoil = lambda: path.write_text(path.read_text() + "\n\nd.png,test,cat\n")
    refused(good, "labels.csv:7: split is 'test'")


def test_missing_lists_and_columns(voc):
    refused(voc, "train_aug.txt is missing; there are the splits train, val", train="train_aug")
    refused(voc, "SegmentationClassAug is missing", masks="SegmentationClassAug")
    voc.root.joinpath("labels.csv").write_text("file,labels\n")
    voc._voc = lambda: None
    refused(voc, "lacks the column(s) split", source="folder")


def test_masks_need_the_order_of_classes(good):
    good.mask("a", np.zeros((6, 8), np.uint8))
    refused(good, "classes.txt is missing: with masks it must name their indices", truth="available")


@pytest.mark.parametrize(
    ("text", "message"),
    [("cat\ncat\n", "double"), ("cat;dog\n", "';'"), ("background\n", "background"), ("", "holds 0 classes"),
     ("cat\n\ndog\n", "classes.txt:2: a blank line"), ("\ncat\ndog\n", "classes.txt:1: a blank line")],
)  # fmt: skip
def test_bad_class_list(good, text, message):
    (good.root / "classes.txt").write_text(text)
    refused(good, "classes.txt", message)


def test_damaged_exif_data_are_no_traceback(good):
    good.picture("odd.png", "train", "cat", exif=b"garbage-here-and-more")
    refused(good, "odd.png: damaged EXIF data")
    good.run(bad_pictures="skip")
    with open("data/dataset/skipped.csv") as file:
        assert "odd.png" in file.read()


def test_two_pictures_of_one_name(good):
    good.picture("a.bmp", "train", "cat")
    assert "is there 2 times" not in refused(good, "a: is the name of a.png and a.bmp: ", "rename one")
