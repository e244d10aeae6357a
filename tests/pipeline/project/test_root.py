"""Files that are read and written whole."""

from pathlib import Path

import pytest

from pipeline.project import root


def test_a_file_is_written_whole_in_utf_8(tmp_path: Path) -> None:
    root.write_whole(tmp_path / "a", "gr\u00fcn\n")
    assert (tmp_path / "a").read_bytes() == b"gr\xc3\xbcn\n"
    assert root.read_text(tmp_path / "a", "a") == "gr\u00fcn\n"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    place = tmp_path / "none" / "a"
    with pytest.raises(FileNotFoundError) as error:
        root.write_whole(place, "text")
    assert error.value.filename == str(place)


def test_another_encoding_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"gr\xfcn")
    with pytest.raises(ValueError, match=r"^params.yaml is not UTF-8 \(byte 2\): save it as UTF-8$"):
        root.read_text(tmp_path / "a", "params.yaml")
