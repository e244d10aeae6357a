"""Stages on another machine: two clones on one machine stand for two hosts."""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine import recipe
from pipeline.engine.stage import Run
from pipeline.flows import remote
from pipeline.memory import graph, plan
from pipeline.project import git
from stages.common.params import read_yaml
from tests.conftest import Project
from tests.pipeline import stub
from tests.pipeline.engine.training_logs.conftest import LOSSES, Training, table

SENT = {"seeds": "gpu", "affinity_labels": "cpu"}  # one reads the other
META = {name: {"gpu": 1} if pool == "gpu" else {"pool": pool} for name, pool in SENT.items()}


class Silent:
    def line(self, stage: str, text: str) -> None: ...
    def progress(self, stage: str, what: str, done: int, total: int) -> None: ...
    def epoch(self, stage: str, values: dict[str, Any]) -> None: ...


def clone(project: Project, root: Path) -> Project:
    """Another host's clone: git's content, and nothing of DVC's cache."""
    project.run("git", "clone", "-q", str(project.root), str(root))
    return Project(root)


def run_on_two(coordinator: Project, worker: Project) -> recipe.Results:
    """A run whose stages with a pool are done in the worker's clone."""
    engine = Run(coordinator.root, "coordinator", Silent())

    def elsewhere(stage: graph.Stage) -> bool:
        if not remote.pool(stage):
            return False
        remote.offer_inputs(coordinator.root, stage.name)
        work = remote.describe(coordinator.root, stage.name, engine.name)
        result = remote.do(worker.root, work, Silent())
        assert result.good, result
        remote.bring(coordinator.root, stage.name)
        return True

    engine.elsewhere = elsewhere
    with engine.open():
        planned = engine.make_plan()
        return recipe.run(engine, planned, list(planned.rows), 1)


def change(project: Project) -> None:
    """Not committed: parameters travel as text."""
    project.change(dataset__value=2)


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one machine's `dvc repro` writes into dvc.lock after the change."""
    alone = stub.make(tmp_path_factory.mktemp("alone") / "project", META)
    change(alone)
    alone.run("dvc", "repro")
    return read_yaml(alone.root / "dvc.lock")


def check(coordinator: Project, worker: Project, wanted: dict[str, Any]) -> None:
    """Equal dvc.lock; each stage was computed once, where it belongs; the worker's clone is clean."""
    change(coordinator)
    results = run_on_two(coordinator, worker)
    assert {result.outcome for result in results.values()} == {"ran", "restored"}, results
    assert {name for name, result in results.items() if result.outcome == "restored"} == set(SENT)
    assert read_yaml(coordinator.root / "dvc.lock") == wanted
    assert sorted(stub.traced(coordinator)) == sorted(set(stub.READS) - set(SENT) - {"parameters"})
    assert worker.run("git", "status", "--porcelain").stdout == ""
    assert not list((worker.root / ".worktrees").iterdir())
    assert plan.make(coordinator.root).rows["report"].state == "unchanged"


@pytest.mark.usefixtures("warmed")
def test_a_shared_cache_folder(tmp_path: Path, wanted: dict[str, Any]) -> None:
    coordinator = stub.make(tmp_path / "a", META)
    worker = clone(coordinator, tmp_path / "b")
    for project in (coordinator, worker):
        project.run("dvc", "cache", "dir", "--local", str(tmp_path / "cache"))
    check(coordinator, worker, wanted)


@pytest.mark.usefixtures("warmed")
def test_only_a_remote(tmp_path: Path, wanted: dict[str, Any]) -> None:
    coordinator = stub.make(tmp_path / "a", META)
    worker = clone(coordinator, tmp_path / "b")
    for project in (coordinator, worker):
        project.run("dvc", "remote", "add", "--local", "-d", "depot", str(tmp_path / "remote"))
    check(coordinator, worker, wanted)


def test_the_training_logs_of_a_worker_stay_in_its_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the name of the run that has sent the stage; the worktree, which is named as the stage, goes."""
    monkeypatch.setenv("WSSS_LOGS", "dvclive")
    worker = Training(tmp_path / "worker")
    work = remote.describe(worker.root, "work", "flow run brave-otter")
    assert remote.do(worker.root, work, Silent()).good
    assert not list((worker.root / ".worktrees").iterdir())
    assert table(worker.root, "flow-run-brave-otter", "work", "1") == LOSSES


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A bucket on moto's S3 server: its URL, and the server's."""
    pytest.importorskip("moto.server")
    import boto3

    port = _free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url)
        keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=url, **keys).create_bucket(Bucket="depot")
        yield "s3://depot/wsss", url
    finally:
        server.kill()
        server.wait()


@pytest.mark.storm
def test_an_s3_remote(tmp_path: Path, bucket: tuple[str, str], wanted: dict[str, Any]) -> None:
    coordinator = stub.make(tmp_path / "a", META)
    worker = clone(coordinator, tmp_path / "b")
    for project in (coordinator, worker):
        project.run("dvc", "remote", "add", "--local", "-d", "depot", bucket[0])
        for key, value in (("endpointurl", bucket[1]), ("access_key_id", "k"), ("secret_access_key", "s")):
            project.run("dvc", "remote", "modify", "--local", "depot", key, value)
    check(coordinator, worker, wanted)


def test_uncommitted_code_is_refused(tmp_path: Path) -> None:
    coordinator = stub.make(tmp_path / "a", META)
    (coordinator.root / "work.py").write_text("pass\n")
    with pytest.raises(ValueError, match=r"commit work\.py first"):
        remote.describe(coordinator.root, "seeds", "r")


def test_what_a_stage_does_not_read_needs_no_commit(tmp_path: Path) -> None:
    """Notes beside the project's files, and a change of a file that only people read."""
    coordinator = stub.make(tmp_path / "a", META)
    (coordinator.root / "notes, mine.txt").write_text("buy milk\n")
    (coordinator.root / ".gitignore").write_text((coordinator.root / ".gitignore").read_text() + "# mine\n")
    assert remote.describe(coordinator.root, "seeds", "r").stage == "seeds"
    (coordinator.root / "pipeline").mkdir()
    (coordinator.root / "pipeline/new.py").write_text("pass\n")
    with pytest.raises(ValueError, match=r"commit pipeline/new\.py first"):
        remote.describe(coordinator.root, "seeds", "r")


def test_a_project_in_a_subfolder_of_its_repository(tmp_path: Path) -> None:
    """params.yaml travels, and git's own path of it is another."""
    coordinator = stub.make(tmp_path / "top/a", META)
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@localhost")
    shutil.rmtree(coordinator.root / ".git")
    coordinator.run(*git, "init", "-q", "..")
    coordinator.run(*git, "add", "-A")
    coordinator.run(*git, "commit", "-qm", "start")
    params = coordinator.root / "params.yaml"
    params.write_text(params.read_text() + "# edited\n")
    assert "# edited" in remote.describe(coordinator.root, "seeds", "r").params
    (coordinator.root / "work.py").write_text("pass\n")
    with pytest.raises(ValueError, match=r"commit work\.py first"):
        remote.describe(coordinator.root, "seeds", "r")


def test_an_unknown_commit_is_named(tmp_path: Path) -> None:
    coordinator = stub.make(tmp_path / "a", META)
    worker = clone(coordinator, tmp_path / "b")
    work = remote.Work("seeds", "0" * 40, "", "", "r")
    with pytest.raises(ValueError, match="push it"):
        remote.do(worker.root, work, Silent())


def test_a_result_that_nobody_has_is_an_error(tmp_path: Path) -> None:
    coordinator = stub.make(tmp_path / "a", META)
    stub.wsss(coordinator, "run", "dataset")
    with pytest.raises(ValueError, match="neither in the cache nor on the remote"):
        remote.bring(coordinator.root, "seeds")


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer ({os.getpid()})")


def test_a_note_that_git_does_not_know_blocks_nothing_but_an_input_does(tmp_path: Path) -> None:
    """In a project that is a folder of its repository, where git's paths are not the project's."""
    made = stub.make(tmp_path / "made", META).root
    root = tmp_path / "whole" / "deep"
    root.parent.mkdir()
    shutil.copytree(made, root, ignore=shutil.ignore_patterns(".git"))
    project = Project(root)
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@t")
    project.run("git", "init", "-q", str(root.parent))
    project.run(*git, "add", "-A")
    project.run(*git, "commit", "-qm", "x")
    (root / "notes.txt").touch()
    (root.parent / "outside.txt").touch()
    project.change(seeds__value=7)  # params.yaml travels as text
    assert remote.describe(root, "seeds", "r").stage == "seeds"
    (root / "work.py").write_text("# other code")
    with pytest.raises(ValueError, match=r"commit work\.py first"):
        remote.describe(root, "seeds", "r")
    project.run(*git, "rm", "-q", "--cached", "work.py")
    project.run(*git, "commit", "-qm", "without")
    with pytest.raises(ValueError, match=r"commit work\.py first"):
        remote.describe(root, "seeds", "r")


def test_a_worker_runs_commits_of_branches_only(tmp_path: Path) -> None:
    """Who may order names the commit: neither a name, nor what lies about in the clone."""
    coordinator = stub.make(tmp_path / "coordinator")
    worker = clone(coordinator, tmp_path / "worker")
    me = ("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--allow-empty", "-qm")
    worker.run(*me, "taken back")
    lost = git.resolve(worker.root, "HEAD")
    worker.run("git", "reset", "-q", "--hard", "HEAD~1")
    assert git.resolve(worker.root, lost) == lost
    with pytest.raises(ValueError, match="is in no branch or tag of this clone or its remotes: push it"):
        remote._know(worker.root, lost)
    for name in ("main", "--all", "HEAD~1", lost[:12], ""):
        with pytest.raises(ValueError, match="is no commit's full hash"):
            remote._know(worker.root, name)
    remote._know(worker.root, git.resolve(worker.root, "main"))
    coordinator.run(*me, "pushed since")
    remote._know(worker.root, git.resolve(coordinator.root, "HEAD"))
    coordinator.run("git", "checkout", "-q", "-b", "evil")
    coordinator.run(*me, "taken back at the origin")
    evil = git.resolve(coordinator.root, "HEAD")
    remote._know(worker.root, evil)
    coordinator.run("git", "checkout", "-q", "main")
    coordinator.run("git", "branch", "-qD", "evil")
    with pytest.raises(ValueError, match="is in no branch or tag"):
        remote._know(worker.root, evil)
    (worker.root / "work.py").write_text("# put aside\n")
    worker.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "stash", "-q")
    with pytest.raises(ValueError, match="is in no branch or tag"):
        remote._know(worker.root, git.resolve(worker.root, "stash@{0}"))
    worker.run("git", "remote", "set-url", "origin", str(tmp_path / "nowhere"))
    remote._know(worker.root, git.resolve(worker.root, "main"))  # what it has is enough


def test_inputs_travel_as_whole_outputs() -> None:
    """As in dvc.yaml: a stamp lies in data/code, and a report reads the folder of all rungs."""
    from pipeline.memory.graph import Graph, Meta, Stage

    def stage(name: str, deps: tuple[str, ...], outs: tuple[str, ...]) -> Stage:
        return Stage(name, "x", deps, (), outs, (), Meta(), False)

    stages = [
        stage("code", ("params.yaml",), ("data/code", "data/nothing")),
        stage("one", (), ("reports/rungs/one/metrics.json",)),
        stage("two", (), ("reports/rungs/two/metrics.json", "reports/other.csv")),
        stage("report", ("data/code/report", "data/nothing", "reports/rungs", "work.py"), ("out",)),
    ]
    found = remote.made_inputs(Graph({one.name: one for one in stages}), "report")
    rungs = [f"reports/rungs/{name}/metrics.json" for name in ("one", "two")]
    assert found == ["data/code", "data/nothing", *rungs]
