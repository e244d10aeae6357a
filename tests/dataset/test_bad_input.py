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
    good.picture("e.png", "train", "")
    (good.root / "classes.txt").write_text("cat\ndog\nbird\n")
    text = refused(
        good,
        "d: label 'cta' is not in the class list; did you mean cat?",
        "images/d.png: unreadable or truncated",
        "e: has no label",
        "bird: the class has no training picture",
        "4 thing(s) to mend; nothing was written",
    )
    assert len(text.splitlines()) == 5


def test_truncated_picture(good):
    path = good.picture("d.jpg", "train", "cat", Image.effect_noise((64, 64), 50).convert("RGB"))
    path.write_bytes(path.read_bytes()[:900])
    refused(good, "images/d.jpg: unreadable or truncated")


def test_missing_picture(good):
    good.picture("d.png", "train", "cat").unlink()
    refused(good, "images/d.png: cannot be read: No such file")


def test_decompression_bomb_is_seen_before_it_is_decoded(good):
    good.picture("d.png", "train", "cat", Image.new("RGB", (400, 300)))
    refused(good, "400x300 is more than dataset.max_megapixels (0.1)", max_megapixels=0.1)


def test_mask_of_another_size(voc):
    voc.mask("a", np.zeros((6, 7), np.uint8))
    refused(voc, "SegmentationClass/a.png: mask is 7x6, its picture 8x6")


def test_mask_value_outside_the_classes(voc):
    voc.mask("b", np.full((6, 8), 3, np.uint8))
    refused(voc, "b.png: mask holds 3: allowed are 0 to 2 and 255")


def test_mask_that_is_no_palette_or_grey_picture(voc):
    Image.new("RGB", (8, 6)).save(voc.root / "SegmentationClass/a.png")
    refused(voc, "a.png: mask is RGB")


def test_missing_mask_where_truth_is_required(voc):
    (voc.root / "SegmentationClass/c.png").unlink()
    refused(voc, "SegmentationClass/c.png: cannot be read")
    assert "2 masks" in voc.run(truth="available")


@pytest.mark.parametrize("identifier", ["../x", "/etc/x", "..", ".hidden", "a:b", "x" * 201])
def test_unsafe_identifier(voc, identifier):
    split = voc.root / "ImageSets/Segmentation/train.txt"
    write = voc._voc
    voc._voc = lambda: (write(), split.write_text(split.read_text() + identifier + "\n"))
    refused(voc, "unsafe identifier" if identifier != ".." else "..")


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
    good.picture("d.png", "train", "")
    refused(good, "d: has no label", bad_pictures="skip")


def test_annotation_missing_or_hostile(voc):
    write = voc._voc

    def spoil() -> None:
        write()
        (voc.root / "Annotations/a.xml").unlink()
        bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><annotation><object><name>&a;</name></object></annotation>'
        (voc.root / "Annotations/b.xml").write_text(bomb)
        (voc.root / "Annotations/c.xml").write_text("<annotation>")

    voc._voc = spoil
    refused(
        voc,
        "a.xml: missing",
        "b.xml: not a readable annotation",
        "declares entities",
        "c.xml: not a readable",
    )


def test_layouts_that_are_not_there(good, make):
    good.values["source"] = "voc"
    refused(good, "has no folder JPEGImages")
    good.values["name"] = "other"
    refused(good, "data/raw/other is missing: `wsss link other PATH`")


def test_missing_lists_and_columns(voc):
    refused(voc, "train_aug.txt is missing; there are the splits train, val", train="train_aug")
    refused(voc, "SegmentationClassAug is missing", masks="SegmentationClassAug")
    voc.root.joinpath("labels.csv").write_text("file,labels\n")
    voc._voc = lambda: None
    refused(voc, "lacks the column(s) split", source="folder")


def test_masks_need_the_order_of_classes(good):
    good.mask("a", np.zeros((6, 8), np.uint8))
    refused(good, "classes.txt is missing: with masks it must name their indices", truth="available")


@pytest.mark.parametrize("text", ["cat\ncat\n", "cat;dog\n", "background\n", ""])
def test_bad_class_list(good, text):
    (good.root / "classes.txt").write_text(text)
    refused(good, "classes.txt")
