import os
from pathlib import Path

from stages.commands.predict.found import find, names, problem


def test_a_folder_gives_its_pictures_and_a_file_itself(tmp_path: Path):
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.png", "deep/c.tif", ".cache/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    inside = [tmp_path / name for name in ("a.png", "b.JPG", "deep/c.tif")]
    assert find([tmp_path]) == inside
    assert find([tmp_path / "b.JPG", tmp_path]) == [inside[1], inside[0], inside[2]]
    missing = tmp_path / "missing"
    assert find([tmp_path / "notes.txt", missing]) == [tmp_path / "notes.txt", missing]


def test_a_name_is_as_long_as_it_must_be():
    def named(*files: str) -> list[str]:
        return names([Path(file) for file in files])

    assert named("/p/cats/a.jpg", "/p/dogs/b.jpg") == ["a", "b"]
    assert named("/p/cats/a.jpg", "/p/dogs/a.jpg", "/p/b.jpg") == ["cats-a", "dogs-a", "b"]
    assert named("/p/a.jpg", "/p/a.png", "/p/b.png") == ["p-a.jpg", "p-a.png", "b"]
    assert named("/p/x/A.jpg", "/q/x/a.jpg") == ["p-x-A.jpg", "q-x-a.jpg"]
    assert named("/p/cats/a.jpg", "/p/dogs/a.jpg", "/p/cats-a.jpg") == ["cats-a.jpg", "dogs-a", "p-cats-a"]


def test_files_whose_whole_paths_read_alike_are_numbered():
    files = ["/a-b/c.jpg", "/a-b/c.png", "/a/b-c.jpg", "/a/b-c.png"]
    assert names([Path(file) for file in files]) == ["000000-c", "000001-c", "000002-b-c", "000003-b-c"]


def test_what_has_no_end_is_refused_where_it_is_named(tmp_path: Path):
    os.mkfifo(tmp_path / "a.png")
    assert find([tmp_path]) == []
    for path in (tmp_path / "a.png", Path("/dev/zero")):
        assert problem(path) == "a FIFO, a device or a socket, no picture"
