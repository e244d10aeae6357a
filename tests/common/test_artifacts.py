import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.project.tables import parse_csv
from stages.common import artifacts


def test_write_atomic_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "new" / "a.txt"
    artifacts.write_atomic(file, "one")
    artifacts.write_atomic(file, b"two")
    assert file.read_text() == "two"
    assert list(file.parent.iterdir()) == [file]


def test_a_write_that_fails_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.txt"
    artifacts.write_atomic(file, "old")

    def full(source: Path, target: Path) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(artifacts.os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        artifacts.write_atomic(file, "new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_output_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name in ("first", "second"):
        with artifacts.output_folder(out) as folder:
            (folder / name).touch()
    assert [path.name for path in out.iterdir()] == ["second"]


def test_output_folder_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with artifacts.output_folder(out) as folder:
        (folder / "old").touch()
    with pytest.raises(RuntimeError), artifacts.output_folder(out) as folder:
        (folder / "half").touch()
        raise RuntimeError
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "old"]


def test_json_of_equal_values_is_equal_bytes(tmp_path: Path) -> None:
    artifacts.write_json(tmp_path / "a", {"x": 1, "y": [0.5]})
    artifacts.write_json(tmp_path / "b", {"y": [0.5], "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert artifacts.read_json(tmp_path / "a") == {"x": 1, "y": [0.5]}


def test_npz_of_equal_arrays_is_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {"maps": np.arange(6, dtype=np.float16).reshape(1, 2, 3), "classes": np.array([3], np.int16)}
    first = artifacts.npz_bytes(**arrays)
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)  # in 2033: no date may be in the file
    assert artifacts.npz_bytes(**{name: array.copy() for name, array in arrays.items()}) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:  # without zip64, which versions of Python write apart
        assert {(member.extract_version, member.extra) for member in archive.infolist()} == {(20, b"")}
    (tmp_path / "a.npz").write_bytes(first)
    found = artifacts.read_npz(tmp_path / "a.npz")
    assert {name: array.dtype for name, array in found.items()} == {"maps": np.float16, "classes": np.int16}
    np.testing.assert_array_equal(found["maps"], arrays["maps"])


def test_a_damaged_npz_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(artifacts.npz_bytes(a=np.zeros(9))[:-30])
    with pytest.raises(ValueError, match=r"a\.npz is not a readable"):
        artifacts.read_npz(tmp_path / "a.npz")
    with pytest.raises(FileNotFoundError):
        artifacts.read_npz(tmp_path / "b.npz")


def test_a_pickle_is_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.array([{}], object))
    assert zipfile.is_zipfile(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="not a readable"):
        artifacts.read_npz(tmp_path / "a.npz")


def test_palette_is_pascal_voc() -> None:
    # background, aeroplane, bicycle, bird, boat, bottle, bus, car, cat, and the void border
    known = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128),
             (128, 128, 128), (64, 0, 0)]  # fmt: skip
    assert [tuple(map(int, colour)) for colour in artifacts.palette()[:9]] == known
    assert tuple(artifacts.palette()[255]) == (224, 224, 192)


def test_masks_come_back_as_they_were(tmp_path: Path) -> None:
    mask = np.array([[0, 1, 255], [20, 7, 0]], np.uint8)
    (tmp_path / "a.png").write_bytes(artifacts.mask_bytes(mask))
    np.testing.assert_array_equal(artifacts.read_mask(tmp_path / "a.png"), mask)
    assert artifacts.mask_bytes(mask) == artifacts.mask_bytes(mask.copy())
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P"
        assert image.convert("RGB").getpixel((1, 0)) == (128, 0, 0)


def test_a_colour_picture_is_no_mask(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="RGB: a mask is a palette or grey PNG"):
        artifacts.read_mask(tmp_path / "a.png")


def test_pictures_are_rgb(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2), (200, 10, 30)).save(tmp_path / "a.png")
    picture = artifacts.read_picture(tmp_path / "a.png")
    assert picture.shape == (2, 3, 3)
    assert tuple(picture[0, 0]) == (200, 10, 30)
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"b\.jpg is missing or not a picture"):
        artifacts.read_picture(tmp_path / "b.jpg")


@pytest.mark.parametrize("left", ["folder", "link", "dead link", "file"])
def test_what_a_killed_process_left_is_in_nobodys_way(tmp_path, left):
    """A link is one to another worktree's folder, which stays."""
    partial, other = tmp_path / ".out.partial", tmp_path / "other"
    (other / "in").mkdir(parents=True)
    if left == "folder":
        (partial / "in").mkdir(parents=True)
    elif left == "file":
        partial.touch()
    else:
        partial.symlink_to(other if left == "link" else tmp_path / "gone")
    with artifacts.output_folder(tmp_path / "out") as folder:
        (folder / "a").touch()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a"]
    assert (other / "in").is_dir() and not partial.is_symlink() and not partial.exists()


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@x", "\tx", "=cmd|' /C calc'!A0"])
def test_a_name_is_no_formula_in_a_spreadsheet_and_reads_back(name: str) -> None:
    rows = list(csv.reader(io.StringIO(artifacts.csv_text([[artifacts.as_text(name)]]), newline="")))
    assert rows == [[f"'{name}"]]
    assert artifacts.from_text(rows[0][0]) == name
    assert parse_csv(artifacts.csv_text([["class"], [artifacts.as_text(name)]])) == [{"class": name}]


@pytest.mark.parametrize("cell", ["", "cat", "'", "'cat'", "-0.5", "+1e3", "o=x"])
def test_other_cells_are_left_alone(cell: str) -> None:
    assert artifacts.from_text(artifacts.as_text(cell)) == artifacts.as_text(cell) == cell
