"""What `wsss pull` fetches of a run whose objects lie on a remote alone, and what it leaves alone."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.project import locks, places
from pipeline.results import pulled
from pipeline.results.snapshot import digest
from tests.pipeline import made_runs
from tests.pipeline.made_runs import Runs, entry

WEIGHTS = b"w" * 99
FOLDERS = {
    "data/classifier": {"config.json": b"{}", "history.csv": b"epoch\n", "weights.safetensors": WEIGHTS},
    "data/predictions": {"a.png": b"a mask"},
    "data/raw/synthetic": {"ImageSets/train.txt": b"a\n"},
    "reports/gallery/seeds/tiles": {"a.png": b"a tile", "b.png": b"another"},
}
TABLE = "reports/rungs/seeds/per_class.csv"
TOLD = {
    "data/classifier/config.json", "data/classifier/history.csv", TABLE,
    "reports/gallery/seeds/tiles/a.png", "reports/gallery/seeds/tiles/b.png",
}  # fmt: skip


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """As a clone has it: dvc.lock and a number in git, the rest on the remote."""
    made = made_runs.make(tmp_path / "project")
    made.write(".gitignore", "/data/\n/reports/gallery/\n/reports/rungs/*/per_class.csv\n")
    made.run("dvc", "remote", "add", "-q", "-d", "depot", str(tmp_path / "remote"))
    lock = {Path(path).name: entry(None, None, {path: store(made, files)}) for path, files in FOLDERS.items()}
    table = made.store(b"class,iou\n", tmp_path / "remote")
    rung = {"reports/rungs/seeds/metrics.json": "", TABLE: table}
    made_runs.lock(made, lock | {"evaluation@seeds": entry(None, None, rung)})
    made_runs.score(made, "seeds", miou=41.0)
    made.commit()
    return made


def store(runs: Runs, files: dict[str, bytes]) -> str:
    return runs.store_folder(files, runs.root.parent / "remote")


def here(runs: Runs) -> set[str]:
    return {
        path.relative_to(runs.root).as_posix()
        for folder in ("data", "reports")
        for path in (runs.root / folder).rglob("*")
        if path.is_file() and path.name != "metrics.json"
    }


def cached(runs: Runs, content: bytes) -> bool:
    """Whether an object is in the cache."""
    value = digest(content)
    return (runs.root / ".dvc" / "cache" / "files" / "md5" / value[:2] / value[2:]).exists()


def test_numbers_and_pictures_come_and_weights_stay(runs: Runs) -> None:
    found = pulled.pull(runs.root, None)
    assert set(found.new) == here(runs) == TOLD
    assert found.size == sum(len((runs.root / path).read_bytes()) for path in TOLD)
    assert (runs.root / "reports/gallery/seeds/tiles/b.png").read_bytes() == b"another"
    assert not cached(runs, WEIGHTS) and not cached(runs, b"a mask") and cached(runs, b"a tile")
    assert runs.run("git", "status", "--porcelain").stdout == ""
    assert (found.there, found.mine, found.lacking) == ([], [], [])


def test_what_is_there_stays_as_it_is(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    runs.write(TABLE, "mine\n")
    assert pulled.main(runs.root, None) == 1
    said = capsys.readouterr().out
    assert said.startswith("4 files, 0.0 MB, 0 were there") and f"they differ: {TABLE}" in said
    assert (runs.root / TABLE).read_text() == "mine\n"
    (runs.root / TABLE).unlink()
    assert pulled.main(runs.root, None) == 0
    assert capsys.readouterr().out.startswith("1 files, 0.0 MB, 4 were there")


def test_another_run_goes_into_the_cache_alone(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    runs.run("git", "branch", "wsss/run/other")
    (runs.root / "dvc.lock").unlink()
    runs.run(*made_runs.GIT, "commit", "-qam", "nothing ran")
    assert pulled.main(runs.root, "other") == 0
    assert "`wsss diff other` reads them" in capsys.readouterr().out
    assert here(runs) == set() and cached(runs, b"a tile") and not cached(runs, b"a mask")


def test_what_the_remote_lacks_is_named(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    for content in (b"a tile", b"another"):
        value = digest(content)
        (runs.root.parent / "remote/files/md5" / value[:2] / value[2:]).unlink()
    assert pulled.main(runs.root, None) == 1
    said = capsys.readouterr().out
    assert "tiles/a.png, reports/gallery/seeds/tiles/b.png could not be fetched: the DVC remote" in said
    assert here(runs) == TOLD - {f"reports/gallery/seeds/tiles/{name}.png" for name in "ab"}


def test_a_folder_whose_list_is_lacking_is_named(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (runs.root.parent / "remote").rglob("*.dir"):
        file.unlink()
    assert pulled.main(runs.root, None) == 1
    said = capsys.readouterr().out
    assert "data/classifier, data/predictions, reports/gallery/seeds/tiles could not be fetched" in said
    assert here(runs) == {TABLE}


def ran(runs: Runs) -> None:
    runs.write("dvc.lock", (runs.root / "dvc.lock").read_text().replace("work", "work more"))


def no_remote(runs: Runs) -> None:
    (runs.root / ".dvc" / "config").write_text("")


def nothing_ran(runs: Runs) -> None:
    made_runs.lock(runs, {})
    runs.commit()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (ran, r"^dvc.lock is not the committed one: .*`wsss pull HEAD` fetches them"),
        (no_remote, r"^nothing of HEAD can be fetched: the cache lacks it and there is no DVC remote$"),
        (nothing_ran, r"^nothing of HEAD can be fetched: its dvc.lock names no results$"),
    ],
)
def test_what_cannot_be(runs: Runs, spoil: Any, message: str) -> None:
    spoil(runs)
    with pytest.raises(ValueError, match=message):
        pulled.pull(runs.root, None)
    assert here(runs) == set()


def test_not_while_a_run_works(runs: Runs) -> None:
    held = locks.take(places.worktree_lock(runs.root), "nightly", "this worktree")
    with held, pytest.raises(locks.HeldError, match=r"^this worktree is held by nightly \(pid"):
        pulled.pull(runs.root, None)
    assert here(runs) == set()
