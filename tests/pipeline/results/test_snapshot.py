"""A run read from git, the cache, a remote and the workspace, none of which it changes."""

import os
import shutil
from pathlib import Path

import pytest

from pipeline.results.snapshot import open_run, runs_of
from tests.pipeline import made_runs
from tests.pipeline.made_runs import Runs, entry

LADDER = "rung,split,miou,miou_best_threshold,precision,recall,images\n"
SEEDS = {"x.npz": b"maps of x", "y.npz": b"maps of y"}


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """One committed run: a folder, a file in the cache, a table in git."""
    made = made_runs.make(tmp_path / "project")
    folder, file = made.store_folder(SEEDS), made.store(b"id,miou\nx,1.00\n")
    outs = {"reports/seeds/metrics.json": "m", "reports/seeds/per_picture.csv": file}
    made_runs.lock(
        made, {"seeds": entry(None, None, {"data/seeds": folder}), "score": entry(None, None, outs)}
    )
    made.write("reports/ladder.csv", LADDER + "seeds,train,50.00,,60.00,70.00,2\n")
    made.commit()
    return made


def state(root: Path) -> dict[str, tuple[int, int]]:
    """Every file of the workspace with its size and time."""
    files = [path for path in root.rglob("*") if path.is_file() and not {".git", ".dvc"} & set(path.parts)]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_a_revision_s_files_come_from_git_and_the_cache_and_nothing_is_checked_out(runs):
    before = state(runs.root)
    run = open_run(runs.root, "HEAD")
    assert run.params["pseudo_labels"] == {"beta": 8}
    assert [row["miou"] for row in run.table("reports/ladder.csv")] == ["50.00"]
    assert run.table("reports/seeds/per_picture.csv") == [{"id": "x", "miou": "1.00"}]
    assert run.inside("data/seeds") == ["data/seeds/x.npz", "data/seeds/y.npz"]
    found = run.files(["data/seeds/x.npz", "data/seeds/z.npz", "data/nothing"])
    assert {path: file.read_bytes() for path, file in found.items()} == {"data/seeds/x.npz": b"maps of x"}
    assert run.maker("data/seeds") == "seeds" and run.maker("data/nothing") is None
    assert run.problems == []
    assert state(runs.root) == before


def test_the_workspace_is_read_as_it_lies_there(runs):
    runs.write("reports/ladder.csv", LADDER + "seeds,train,51.00,,60.00,70.00,2\n")
    runs.write("data/seeds/w.npz", "maps of w")
    run = open_run(runs.root, "workspace")
    assert run.commit is None
    assert [row["miou"] for row in run.table("reports/ladder.csv")] == ["51.00"]
    assert run.inside("data/seeds") == ["data/seeds/w.npz"]
    assert run.files(["data/seeds/w.npz", "data/seeds/x.npz"]) == {
        "data/seeds/w.npz": runs.root / "data/seeds/w.npz"
    }
    assert run.table("reports/seeds/per_picture.csv") == []  # in the cache, but not in the workspace


def test_an_older_revision_is_what_it_was(runs):
    old = runs.run("git", "rev-parse", "HEAD").stdout.strip()
    runs.write("params.yaml", made_runs.PARAMS.replace("beta: 8", "beta: 4"))
    runs.commit()
    assert open_run(runs.root, old[:8]).params["pseudo_labels"] == {"beta": 8}
    assert open_run(runs.root, "HEAD").params["pseudo_labels"] == {"beta": 4}


def test_what_the_cache_lacks_is_fetched_from_the_remote(runs, tmp_path):
    cache, remote = runs.root / ".dvc" / "cache", tmp_path / "remote"
    shutil.move(cache, remote)
    runs.run("dvc", "remote", "add", "-q", "-d", "store", str(remote))
    run = open_run(runs.root, "HEAD")
    assert run.files(["data/seeds/y.npz"])["data/seeds/y.npz"].read_bytes() == b"maps of y"
    assert run.problems == []
    names = sorted(file.name for file in cache.rglob("*") if file.is_file())
    assert len(names) == 2  # the folder's list and y, not x


def test_what_is_nowhere_is_left_out_and_the_reason_kept(runs, tmp_path):
    shutil.rmtree(runs.root / ".dvc" / "cache")
    run = open_run(runs.root, "HEAD")
    assert run.files(["data/seeds/y.npz"]) == {} and run.inside("data/seeds") == []
    assert run.problems == ["the cache lacks it and there is no DVC remote"]
    runs.run("dvc", "remote", "add", "-q", "-d", "store", str(tmp_path / "empty"))
    run = open_run(runs.root, "HEAD")
    assert run.files(["reports/seeds/per_picture.csv"]) == {}
    assert run.problems == ["the DVC remote lacks it"]


def test_a_folder_inside_a_repository_is_a_project_too(tmp_path):
    top = made_runs.make(tmp_path / "top")
    inner = Runs(top.root / "inner")
    for name in ("dvc.yaml", "params.yaml"):
        inner.write(name, (top.root / name).read_text())
    inner.write("reports/ladder.csv", LADDER)
    inner.run("dvc", "init", "-q", "--subdir")
    inner.commit()
    run = open_run(inner.root, "HEAD")
    assert run.text("reports/ladder.csv") == LADDER and run.lock == {}


def test_a_run_is_called_by_its_name_and_a_point_stands_for_its_seeds(runs):
    for name in ("lr-01", "lr-02-s10", "lr-02-s2", "lr-02-s0", "lr-02-sx"):
        runs.run("git", "branch", f"wsss/run/{name}")
    assert runs_of(runs.root, "lr-01") == ["lr-01"]
    assert runs_of(runs.root, "lr-02") == ["lr-02-s0", "lr-02-s2", "lr-02-s10"]
    assert runs_of(runs.root, "lr-02-s2") == ["lr-02-s2"]
    assert runs_of(runs.root, "HEAD~1") == ["HEAD~1"]
    head = runs.run("git", "rev-parse", "HEAD").stdout.strip()
    assert open_run(runs.root, "lr-01").commit == head


def test_a_name_that_means_nothing_is_one_error_that_lists_the_runs(runs):
    runs.run("git", "branch", "wsss/run/lr-01")
    with pytest.raises(ValueError, match=r"git knows no revision 'lr-1'.*runs: lr-01"):
        open_run(runs.root, "lr-1")


def test_a_revision_without_this_project_or_with_a_damaged_lock_is_an_error(runs):
    runs.write("dvc.lock", "stages: [")
    runs.commit()
    with pytest.raises(ValueError, match=r"dvc\.lock of HEAD is not valid YAML"):
        open_run(runs.root, "HEAD")
    os.unlink(runs.root / "params.yaml")
    runs.commit()
    with pytest.raises(ValueError, match=r"HEAD has no params\.yaml"):
        open_run(runs.root, "HEAD")
