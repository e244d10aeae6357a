"""The VOC layout as other tools write it."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.dataset.sources.voc import VOC
from tests.dataset.test_bad_input import refused
from tests.dataset.test_good_sets import rows

EMPTY = np.zeros((6, 8), np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".JPG", ".jpeg", ".bmp"])
def test_pictures_of_any_suffix(voc, suffix):
    for name in "abc":
        (voc.root / f"JPEGImages/{name}.jpg").unlink()
        Image.new("RGB", (8, 6), "red").save(voc.root / f"JPEGImages/{name}{suffix}")
    voc.run()
    assert [row["id"] for row in rows("data/dataset/index.csv")] == ["a", "b", "c"]


def test_a_jpg_goes_before_others_of_its_name(voc):
    Image.new("RGB", (8, 6), "red").save(voc.root / "JPEGImages/a.png")
    voc.run()
    content = (voc.root / "JPEGImages/a.jpg").read_bytes()
    assert Path("data/dataset/images/a.jpg").read_bytes() == content


def test_two_pictures_of_one_name_and_no_jpg(voc):
    (voc.root / "JPEGImages/a.jpg").unlink()
    for suffix in (".png", ".bmp"):
        Image.new("RGB", (8, 6), "red").save(voc.root / f"JPEGImages/a{suffix}")
    refused(voc, "could be JPEGImages/a.bmp or a.png: keep one")


@pytest.mark.parametrize("listed", ["a.jpg\nb.jpg", "a  1\nb -1", "/JPEGImages/a.jpg /x/a.png\nb"])
def test_lists_with_more_than_the_identifier(voc, listed):
    voc.spoil = lambda: (voc.root / "ImageSets/Segmentation/train.txt").write_text(listed)
    voc.run()
    assert [row["id"] for row in rows("data/dataset/index.csv")] == ["a", "b", "c"]


def test_names_with_spaces_and_decomposed_names(voc):
    (voc.root / "classes.txt").write_text("cat\ndog\n")
    for name in ("my photo", "\u00f6"):
        voc.picture(f"{name}.jpg", "train", "cat")
        voc.mask(name, EMPTY)

    def decompose() -> None:
        for path in (voc.root / "JPEGImages/\u00f6.jpg", voc.root / "Annotations/\u00f6.xml"):
            path.rename(path.with_name(unicodedata.normalize("NFD", path.name)))

    voc.spoil = decompose
    voc.run()
    assert [row["id"] for row in rows("data/dataset/index.csv")] == ["a", "b", "my photo", "\u00f6", "c"]


def test_own_classes_without_a_list_are_named_once(voc):
    (voc.root / "classes.txt").unlink()
    voc.picture("d.jpg", "train", "cat;gizmo")
    voc.mask("d", EMPTY)
    text = refused(voc, "classes.txt: is missing", "none of VOC's 20: gizmo", "cat (3), dog (2), gizmo (1)")
    assert len(text.splitlines()) == 2


def test_few_of_the_classes_of_voc_keep_its_indices(voc):
    (voc.root / "classes.txt").unlink()
    assert "warning: 18 of 20 classes are in no picture" in voc.run(truth="none")


def test_all_classes_of_voc_need_no_list(voc):
    (voc.root / "classes.txt").unlink()
    voc.rows = [(name, split, ";".join(VOC)) for name, split, _ in voc.rows]
    assert "20 classes" in voc.run()


def test_a_name_in_another_case(voc):
    voc.rows[0] = ("a.jpg", "train", "Cat")
    refused(voc, "a: label 'Cat' is not in the class list; did you mean cat?", "1 thing(s)")


@pytest.mark.parametrize("encoding", ["gbk", "shift_jis", "big5"])
def test_annotations_in_encodings_of_several_bytes(voc, encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?><a><object><name>\u4e2d</name></object></a>'
    (voc.root / "classes.txt").write_text("\u4e2d\ndog\n", encoding="utf-8")
    voc.rows[1] = ("b.jpg", "train", "dog")
    voc.spoil = lambda: (voc.root / "Annotations/a.xml").write_bytes(text.encode(encoding))
    voc.run()
    assert rows("data/dataset/index.csv")[0]["labels"] == "\u4e2d"


@pytest.mark.parametrize("name", ["", " ", "background", "x" * 101])
def test_a_box_whose_name_is_none(voc, name):
    text = f"<a><object><name>{name}</name></object></a>"
    voc.spoil = lambda: (voc.root / "Annotations/a.xml").write_text(text)
    refused(voc, "a.xml: not a readable annotation: an object's name", "1 thing(s)")
