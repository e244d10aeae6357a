import unicodedata
from pathlib import Path

import pytest

from stages.commands.importing.places import Places, folder_splits, shared_folders, split_word


def places(root: Path, *files: str) -> Places:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"")
    return Places(root)


def test_where_a_path_leads(tmp_path) -> None:
    known = places(tmp_path, "a.jpg", "in/a.jpg", "in/deep/b.jpg", "in/c d.PNG", ".hidden/x.jpg", "notes.txt")
    inside = tmp_path / "in"
    for written, beside, found in (
        ("a.jpg", inside, "in/a.jpg"),  # first from beside
        ("../a.jpg", inside, "a.jpg"),
        ("..\\in\\.\\a.jpg", inside, "in/a.jpg"),
        ("deep/b.jpg", tmp_path, "in/deep/b.jpg"),  # its end
        ("C:\\photos\\B.JPG", tmp_path, "in/deep/b.jpg"),  # its name, in any case
        ("/abs/c d.png", tmp_path, "in/c d.PNG"),
        ("a.jpg", Path("/elsewhere"), "a.jpg"),
    ):
        assert known.find(written, beside) == found
    assert known.by_name == ["in/deep/b.jpg", "in/c d.PNG"]
    for written, says in (
        ("x.jpg", "is missing"),
        ("notes.txt", "is of no format that is read"),
        ("../../a.jpg", "would lie outside of"),
        ("other/a.jpg", "could be a.jpg, in/a.jpg"),
    ):
        with pytest.raises(ValueError, match=says):
            known.find(written, inside)


def test_linked_folders_are_walked_once(tmp_path) -> None:
    places(tmp_path / "elsewhere", "a.jpg")
    known = places(tmp_path / "root", "b.jpg")
    (tmp_path / "root/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root/round").symlink_to(tmp_path / "root")
    assert sorted(known.all) == ["b.jpg", "linked/a.jpg"]


def test_a_name_in_another_unicode_form(tmp_path) -> None:
    apart = unicodedata.normalize("NFD", "käfer.jpg")
    assert places(tmp_path, apart).find("käfer.jpg", tmp_path) == apart


def test_of_several_that_of_the_split(tmp_path) -> None:
    known = places(tmp_path, "train2017/1.jpg", "val2017/1.jpg")
    assert known.find("1.jpg", tmp_path / "annotations", "val") == "val2017/1.jpg"


def test_the_folder_of_most_names(tmp_path) -> None:
    known = places(tmp_path, "one/a.jpg", "one/b.jpg", "two/b.jpg", "two/c/d.jpg")
    other = Path("/other")
    assert known.base(["a.jpg", "b.jpg", "gone.jpg"], other) == tmp_path / "one"
    assert known.base(["./c/d.jpg"], other) == tmp_path / "two"
    assert known.base(["b.jpg"], other) == other  # two are as likely
    assert known.base([], other) == known.base(["x.jpg"], other) == other


def test_splits_by_folders() -> None:
    assert folder_splits(["x/train/a", "x/valid/b", "x/Test/c"]) == {
        "x/train/a": "train", "x/valid/b": "val", "x/Test/c": "test",
    }  # fmt: skip
    assert folder_splits(["train/cat/a", "bus/b"]) == folder_splits(["train/a", "b"]) == {}
    assert folder_splits(["train/a", "train/b"]) == folder_splits([]) == {}  # one folder is no split
    assert [split_word(word) for word in ("train2017", "VALIDATION", "dev_1", "trains")] == [
        "train",
        "val",
        "val",
        "",
    ]
    assert shared_folders(["a/b/c", "a/b/d/e"]) == 2 and shared_folders(["a", "b/c"]) == 0
