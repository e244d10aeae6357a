"""Files are opened only if they are files, and found under every form of their names."""

import os
import socket
import unicodedata
from pathlib import Path

import pytest

from stages.dataset.files import Finder, read_file, stem
from tests.dataset.test_bad_input import refused
from tests.dataset.test_good_sets import rows

UMLAUT = unicodedata.normalize("NFD", "\u00f6/\u00e4.JPG")


@pytest.fixture
def finder(tmp_path: Path) -> Finder:
    for name in (
        "a.JPG",
        "b.png",
        "v1.0/pic1.jpg",
        "v1.0/pic1.2.jpg",
        "c.jpg",
        "c.png",
        "d.JPG",
        "d.jpg",
        UMLAUT,
    ):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).touch()
    return Finder(tmp_path / "images")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.JPG", ["a.JPG"]), ("a.jpg", ["a.JPG"]), ("A.jpg", ["a.JPG"]), ("a", ["a.JPG"]),
        ("v1.0/pic1", ["v1.0/pic1.jpg"]), ("v1.0/pic1.2", ["v1.0/pic1.2.jpg"]), ("B.PNG", ["b.png"]),
        ("\u00f6/\u00e4.JPG", [UMLAUT]), ("\u00f6/\u00e4", [UMLAUT]), ("\u00d6/\u00c4.jpg", [UMLAUT]),
        ("d.jpg", ["d.jpg"]), ("D.jpg", ["d.JPG", "d.jpg"]), ("c", ["c.jpg", "c.png"]),
        ("a.png", []), ("x.jpg", []), ("../images/x", []), ("/a.JPG", []), ("a\0b", []),
    ],
)  # fmt: skip
def test_the_file_that_a_name_means(finder, name, found):
    assert finder.find(name) == found


def test_where_a_missing_file_may_be(finder):
    assert finder.hint("a.png") == ", but one with the suffix .JPG is there"
    assert finder.hint("trip/pic1.jpg") == ", but one of that name lies in images/v1.0"
    assert finder.hint("x.jpg") == ""


@pytest.mark.parametrize(
    ("name", "without"),
    [("a.jpg", "a"), ("v1.0/pic1", "v1.0/pic1"), ("a.v2", "a.v2"), ("a.tar.PNG", "a.tar"), (".png", ".png")],
)
def test_only_the_suffix_of_a_picture_is_one(name, without):
    assert stem(name) == without


def test_identifiers_keep_dots(good):
    good.picture("v1.0/pic1.png", "train", "cat")
    good.picture("v1.0/pic2.png", "train", "cat")
    good.rows[-1] = ("v1.0/pic2", "train", "cat")
    good.run()
    assert [row["id"] for row in rows("data/dataset/index.csv")][2:4] == ["v1.0__pic1", "v1.0__pic2"]


@pytest.mark.parametrize(
    "listed", ["images/d.png", "./d.png", "./images/d.png", "images\\d.png", "C:\\my set\\images\\d.png",
               "/home/me/set/images/d.png", "d", "D.PNG"],
)  # fmt: skip
def test_a_path_to_a_picture_of_the_set(good, listed):
    good.picture("d.png", "train", "cat")
    good.rows[-1] = (listed, "train", "cat")
    good.run()
    assert [row["id"] for row in rows("data/dataset/index.csv")] == ["a", "b", "d", "c"]


def test_absolute_paths_that_lead_elsewhere_are_said_once(good):
    good.rows += [(f"/elsewhere/{number}.png", "train", "cat") for number in range(24)]
    text = refused(good, "and 21 more: unsafe identifier: no path but the one inside", "1 thing(s) to mend")
    assert len(text.splitlines()) == 2


def test_pictures_of_another_suffix_are_said_once(good):
    for name in "defgh":
        good.picture(f"{name}.png", "train", "cat")
        good.rows[-1] = (f"{name}.jpg", "train", "cat")
    text = refused(
        good, "images/d.jpg, images/e.jpg, images/f.jpg and 2 more: is missing, but one with the suffix .png"
    )
    assert len(text.splitlines()) == 2


def test_a_name_that_could_be_two_files(good):
    good.picture("d.png", "train", "cat")
    good.picture("d.bmp", "train", "cat")
    good.rows[-2:] = [("d", "train", "cat")]
    refused(good, "images/d: could be d.bmp, d.png: write the one that is meant")


def special(path: Path, kind: str) -> None:
    path.unlink(missing_ok=True)
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.relpath(path))
    else:
        with path.open("wb") as file:
            file.truncate(8 << 30)  # a hole: it takes no room


KINDS = [("FIFO", "it is a FIFO, not a file"), ("device", "it is a device"), ("socket", "it is a socket"),
         ("huge", "8.6 GB")]  # fmt: skip


@pytest.mark.parametrize(("kind", "says"), KINDS)
def test_what_is_no_file_or_too_large_is_refused_by_name(voc, kind, says):
    names = "JPEGImages/a.jpg", "SegmentationClass/b.png", "Annotations/c.xml"
    voc.spoil = lambda: [special(voc.root / name, kind) for name in names]
    refused(voc, *names, says)


@pytest.mark.parametrize("name", ["classes.txt", "ImageSets/Segmentation/val.txt"])
@pytest.mark.parametrize(("kind", "says"), KINDS)
def test_a_list_that_is_no_file_or_too_large_is_refused_by_name(voc, name, kind, says):
    voc.spoil = lambda: special(voc.root / name, kind)
    refused(voc, f"{name} ", says)


def test_a_missing_file_is_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "nothing", 10)
    (tmp_path / "a").write_bytes(b"x" * 10)
    assert read_file(tmp_path / "a", 10) == b"x" * 10


def test_one_picture_named_many_times_is_decoded_once(good, monkeypatch):
    from stages.dataset import convert

    decoded = []
    real = convert.decode_picture
    monkeypatch.setattr(convert, "decode_picture", lambda *all: decoded.append(all) or real(*all))
    good.rows += [good.rows[0]] * 2000
    refused(good, "a: is there 2001 times: one row per picture", "1 thing(s) to mend")
    assert len(decoded) == 3
