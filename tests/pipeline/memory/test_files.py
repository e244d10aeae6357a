"""What the plan hashes has an end."""

import contextlib
import hashlib
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from pipeline.memory import objects, plan
from pipeline.memory.graph import open_repo
from pipeline.project.walk import entries, odd_files
from tests.conftest import Project, new_repository


def test_what_has_no_end_is_found_in_folders_and_behind_links(tmp_path: Path) -> None:
    folder = tmp_path / "set" / "images"
    folder.mkdir(parents=True)
    (folder / "a.png").touch()
    (folder / "broken.png").symlink_to(folder / "nowhere")
    assert [Path(path).name for path, _ in entries(str(folder))] == ["a.png", "broken.png"]
    assert list(odd_files(str(tmp_path))) == []
    os.mkfifo(folder / "fifo.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket.png"))
        found = {Path(path).name: what for path, what in odd_files(str(tmp_path))}
    assert found == {"fifo.png": "a FIFO", "zero.png": "a device", "socket.png": "a socket"}
    assert list(odd_files(str(folder / "fifo.png"))) == [(str(folder / "fifo.png"), "a FIFO")]


def test_what_may_not_be_read_or_goes_away_is_left_out(tmp_path: Path, monkeypatch: Any) -> None:
    for name in ("a/1.png", "a/9.png", "b/2.png", "c/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scan, seen = os.scandir, []

    def refused(path: str) -> Any:
        seen.append(path)
        if path.endswith("/b"):
            raise PermissionError(13, "Permission denied")
        if path.endswith("/c"):
            (tmp_path / "c/3.png").unlink()
        found = scan(path)
        if path.endswith("/a"):
            rows = list(found)
            (tmp_path / "a/1.png").unlink()
            return contextlib.nullcontext(rows)
        return found

    monkeypatch.setattr(os, "scandir", refused)
    assert [Path(path).name for path, _ in entries(str(tmp_path))] == ["a", "b", "c", "9.png"]
    assert len(seen) == 4 and list(entries(str(tmp_path / "nothing"))) == []


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """One stage that reads the folder `pictures`."""
    project = Project(tmp_path / "project")
    (project.root / "pictures").mkdir(parents=True)
    (project.root / "pictures" / "a.png").touch()
    (project.root / "params.yaml").write_text("{}\n")
    (project.root / "dvc.yaml").write_text(
        "stages:\n  one:\n    cmd: touch out\n    deps: [pictures]\n    outs: [out]\n"
    )
    new_repository(project.root)
    return project


def test_the_plan_refuses_it_by_name_and_not_what_dvc_ignores(project: Project) -> None:
    assert plan.make(project.root).rows["one"].state == plan.WILL_RUN
    os.mkfifo(project.root / "pictures" / "b.png")
    with pytest.raises(ValueError, match=r"pictures/b\.png is a FIFO, which has no end: remove it"):
        plan.make(project.root)
    (project.root / ".dvcignore").write_text("b.png\n")
    assert plan.make(project.root).rows["one"].state == plan.WILL_RUN


@pytest.mark.parametrize("name", ["dvc.yaml", "params.yaml", "dvc.lock"])
def test_no_file_of_dvc_s_is_opened_that_would_take_all_memory(project: Project, name: str) -> None:
    text = "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 10)}]\n" for n in range(1, 9))
    file = project.root / name
    old = file.read_text() if file.is_file() else ""
    file.write_text(f"b0: &b0 [lol]\n{text}{old if old != '{}' + chr(10) else ''}")
    with pytest.raises(ValueError, match=f"^{name} is refused: its aliases repeat more than 100000 values"):
        plan.make(project.root)


def test_a_hash_in_dvc_lock_that_is_none_is_refused_with_its_stage(project: Project) -> None:
    project.run("dvc", "repro", "-q")
    lock = project.root / "dvc.lock"
    text = lock.read_text()
    for line in [line for line in text.splitlines() if "md5: " in line]:
        lock.write_text(text.replace(line, f"{line.partition('md5: ')[0]}md5: ../../../../x"))
        with pytest.raises(ValueError, match=r"dvc.lock, stage one, is refused: '../../../../x' is no hash"):
            plan.make(project.root)


def test_a_folder_s_list_that_leads_out_is_never_restored(project: Project) -> None:
    """A cache or a remote to which others write: the object of a folder is a list of paths."""
    text = (project.root / "dvc.yaml").read_text().replace("touch out", "mkdir out && touch out/a")
    (project.root / "dvc.yaml").write_text(text)
    project.run("dvc", "repro", "-q")
    (listed,) = (project.root / ".dvc" / "cache" / "files" / "md5").glob("*/*.dir")
    content = listed.read_bytes().replace(b'"relpath": "a"', b'"relpath": "../../evil"')
    name = f"{hashlib.md5(content).hexdigest()}.dir"
    place = listed.parents[1] / name[:2] / name[2:]
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)
    place.chmod(0o444)
    lock = project.root / "dvc.lock"
    lock.write_text(lock.read_text().replace(listed.parent.name + listed.name, name))
    with pytest.raises(ValueError, match=r"^out: the list of its files, .*'../../evil' is no path inside"):
        plan.one(project.root, "one")
    with open_repo(project.root) as repo, pytest.raises(ValueError, match="is no path inside"):
        objects.check_lists(repo, ["out"])
