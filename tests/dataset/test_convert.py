"""Each picture is converted once, whatever else changes in its set; and kept under the hash of its files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.common import pool
from stages.common.fingerprint import file_hash
from stages.common.pictures import load_pictures
from stages.dataset import convert
from stages.dataset.source_files import File, reread


@pytest.fixture
def converted(monkeypatch):
    """The content of each picture that is decoded, in order."""
    seen, real = [], convert.decode_picture
    monkeypatch.setattr(convert, "decode_picture", lambda *all: seen.append(all[0]) or real(*all))
    return seen


def grey(value: float) -> Image.Image:
    return Image.fromarray(np.full((6, 8), value, np.uint8))


def deep(value: int) -> Image.Image:
    return Image.fromarray(np.full((6, 8), value, np.uint16))


def stored(name: str) -> Image.Image:
    return Image.open(f"data/dataset/images/{name}.png")


def test_ten_new_pictures_cost_ten(good, converted):
    good.run()
    assert len(converted) == 3
    for number in range(10):
        good.picture(f"new{number}.png", "train", "cat")
    good.run()
    assert len(converted) == 13
    assert len(list(Path("data/dataset/images").iterdir())) == 13


def test_a_changed_picture_or_mask_is_converted_again_and_a_new_name_is_not(voc, converted):
    voc.run()
    voc.mask("a", np.ones((6, 8), np.uint8))
    voc.run()
    assert converted[3:] == [(voc.root / "JPEGImages/a.jpg").read_bytes()]
    assert Image.open("data/masks/a.png").getextrema() == (1, 1)
    assert len({file.name for file in Path(".scratch/items/dataset").iterdir()}) == 4
    for folder, suffix in (("JPEGImages", ".jpg"), ("SegmentationClass", ".png")):
        (voc.root / folder / f"b{suffix}").rename(voc.root / folder / f"bb{suffix}")
    voc.rows[1] = ("bb.jpg", *voc.rows[1][1:])
    voc.run()
    assert len(converted) == 4 and [row.id for row in load_pictures().all] == ["a", "bb", "c"]


def test_a_new_white_touches_deep_pictures_only(good, converted):
    good.picture("d.png", "train", "cat", deep(1000))
    good.run()
    assert stored("d").getpixel((0, 0)) == (249,) * 3  # 1023 is white
    good.picture("e.png", "train", "cat", deep(4000))
    good.run()
    assert len(converted) == 4 + 2 and stored("d").getpixel((0, 0)) == (62,) * 3  # 4095 is


def test_the_index_has_the_hash_of_what_is_stored(good):
    good.picture("d.png", "train", "cat", grey(50))  # becomes an RGB picture
    good.run()
    for picture in load_pictures().all:
        assert picture.sha256 == picture.content_hash() == file_hash(picture.path)
    kept = {file.name for file in Path(".scratch/items/dataset").rglob("*.png")}
    assert kept == {"item.png"} and len(list(Path(".scratch/items/dataset").glob("*/picture"))) == 1


def test_what_is_wrong_stays_wrong_and_is_told_of_the_right_file(voc, converted):
    voc.spoil = lambda: (voc.root / "JPEGImages/a.jpg").write_bytes(b"no picture")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"JPEGImages/a\.jpg: unreadable"):
            voc.run()
    assert len(converted) == 3
    voc.spoil = lambda: (voc.root / "JPEGImages/b.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"JPEGImages/a\.jpg, JPEGImages/b\.jpg: unreadable"):
        voc.run()
    voc.spoil = lambda: voc.mask("c", np.full((6, 8), 9, np.uint8))
    with pytest.raises(ValueError, match=r"SegmentationClass/c\.png: mask holds 9"):
        voc.run()


def test_in_processes_as_here(voc, monkeypatch):
    here = voc.run()
    files = {path: path.read_bytes() for path in Path("data").rglob("*") if path.is_file()}
    monkeypatch.setenv("WSSS_WORKERS", "2")
    monkeypatch.setattr(convert, "GROUP", 1)
    monkeypatch.setattr("stages.common.items.SCRATCH", Path(".other"))
    pools = []
    real = pool.in_processes
    monkeypatch.setattr(pool, "in_processes", lambda *all: pools.append(all) or real(*all))
    assert voc.run() == here and pools
    assert {path: path.read_bytes() for path in Path("data").rglob("*") if path.is_file()} == files


def test_a_file_that_changes_between_two_reads_gives_no_result(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(b"before")
    known = File(file, file_hash(file))
    assert reread(known) == b"before"
    file.write_bytes(b"after")
    with pytest.raises(RuntimeError, match=r"a\.png changed while the data set was read"):
        reread(known)
