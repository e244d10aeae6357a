"""A folder's hash is known again without DVC, and never once anything below it has changed."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.memory import objects
from pipeline.memory.files import Files
from pipeline.memory.folders import Found
from pipeline.memory.graph import open_repo
from pipeline.project import places
from tests.conftest import Project, new_repository


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """One stage that reads the folder `pictures`, in which one is a link, and makes the folder `out`."""
    project = Project(tmp_path / "project")
    pictures = project.root / "pictures"
    (pictures / "more").mkdir(parents=True)
    (pictures / "a.png").write_text("a")
    (pictures / "more" / "b.png").write_text("b")
    (tmp_path / "elsewhere.png").write_text("c")
    (pictures / "c.png").symlink_to(tmp_path / "elsewhere.png")
    (project.root / "dvc.yaml").write_text(
        "stages:\n  one:\n    cmd: cp -r pictures out\n    deps: [pictures]\n    outs: [out]\n"
    )
    new_repository(project.root)
    return project


def look(project: Project) -> tuple[Found, int]:
    """What lies at `pictures`, and how often DVC was asked for it."""
    with open_repo(project.root) as repo:
        (dep,) = next(iter(repo.index.stages)).deps
        asked: list[Any] = []
        ask = dep._get_hash_meta
        dep._get_hash_meta = lambda: asked.append(1) or ask()
        found = Files(repo).now(dep)
        assert found is not None
        return found, len(asked)


def test_dvc_is_asked_once(project: Project) -> None:
    first, asked = look(project)
    again, again_asked = look(project)
    assert (asked, again_asked) == (1, 0)
    assert again == first and first.hash.isdir
    assert (again.meta.size, again.meta.nfiles, again.meta.isdir) == (3, 3, True)


def same_size_and_time(file: Path) -> None:
    """As an editor that writes anew and renames: only the inode tells."""
    seen = file.stat()
    file.with_suffix(".new").write_text("x" * seen.st_size)
    os.utime(file.with_suffix(".new"), ns=(seen.st_atime_ns, seen.st_mtime_ns))
    file.with_suffix(".new").replace(file)


def same_time(file: Path) -> None:
    seen = file.stat()
    file.write_text("longer")
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda root: (root / "pictures/a.png").write_text("another"),
    "content of the same size": lambda root: (root / "pictures/more/b.png").write_text("x"),
    "content of the same time": lambda root: same_time(root / "pictures/a.png"),
    "another file of the same size and time": lambda root: same_size_and_time(root / "pictures/a.png"),
    "a new file": lambda root: (root / "pictures/more/d.png").write_text("d"),
    "a new folder": lambda root: (root / "pictures/new").mkdir() or (root / "pictures/new/e").write_text(""),
    "a file less": lambda root: (root / "pictures/a.png").unlink(),
    "another name": lambda root: (root / "pictures/a.png").rename(root / "pictures/z.png"),
    "another folder": lambda root: (root / "pictures/more").rename(root / "pictures/less"),
    "what a link leads to": lambda root: (root.parent / "elsewhere.png").write_text("other"),
    "what is ignored": lambda root: (root / ".dvcignore").write_text("b.png\n"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_change_is_seen(project: Project, what: str) -> None:
    first, _ = look(project)
    CHANGES[what](project.root)
    found, asked = look(project)
    assert asked == 1 and found.hash != first.hash
    assert look(project) == (found, 0)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"PATH": 3}', '{"PATH": {"stamp": "x"}}'])
def test_damaged_lines_cost_a_look(project: Project, text: str) -> None:
    first, _ = look(project)
    lines = places.state(project.root) / "folders.json"
    assert str(project.root / "pictures") in lines.read_text()
    lines.write_text(text.replace("PATH", str(project.root / "pictures")))
    assert look(project) == (first, 1)
    assert look(project) == (first, 0)


def test_a_plan_can_be_made_where_nothing_may_be_written(project: Project, monkeypatch: Any) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.memory.folders.write_atomic", full)
    first, _ = look(project)
    assert look(project) == (first, 1)


def test_what_the_cache_has_whole(project: Project) -> None:
    project.run("dvc", "repro", "-q")
    cache = project.root / ".dvc" / "cache" / "files" / "md5"
    files = [file for file in cache.glob("*/*") if file.suffix != ".dir"]
    (listed,) = cache.glob("*/*.dir")
    assert len(files) == 3 and cached(project)
    for file in [*files, listed]:
        content = file.read_bytes()
        file.chmod(0o644)
        assert cached(project)  # DVC hashes it, and finds it whole
        file.chmod(0o644)
        file.write_bytes(b"damaged")
        assert not cached(project)
        file.unlink(missing_ok=True)
        assert not cached(project)
        file.write_bytes(content)
        file.chmod(0o444)
        assert cached(project)


def cached(project: Project) -> bool:
    with open_repo(project.root) as repo:
        (out,) = next(iter(repo.index.stages)).outs
        return objects.is_cached(out)
