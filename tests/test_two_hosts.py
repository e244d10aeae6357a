"""The small recipe by a coordinator and a worker, each with a clone, that share nothing but a DVC remote."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stages.common.params import read_yaml
from tests.conftest import Project, drawn, make_project, warm_environment
from tests.pipeline.server import MARK, Server

ON_WORKERS = {"classifier", "seeds", "affinity@affinity_labels", "segmenter", "predictions"}  # meta.gpu
LABELS = "affinity_labels@seeds"  # reads what a worker has made from what a worker has made


@pytest.fixture
def hosts(tmp_path: Path) -> tuple[Project, Project]:
    """The coordinator's checkout and the worker's clone, nothing run yet."""
    coordinator = make_project(tmp_path / "coordinator")
    coordinator.run("git", "add", "-A")
    coordinator.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "project")
    coordinator.run("git", "clone", "-q", ".", str(tmp_path / "worker"))
    worker = Project(tmp_path / "worker")
    for host in (coordinator, worker):
        host.run("dvc", "remote", "add", "--local", "-d", "depot", str(tmp_path / "depot"))
    return coordinator, worker


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "prefect", **warm_environment())
    yield running
    running.stop()


@pytest.mark.parametrize("targets", drawn([[LABELS], []], 0))
def test_two_hosts_make_the_same_lock_as_one(
    hosts: tuple[Project, Project], server: Server, recipe: Project, targets: list[str]
) -> None:
    """Of the stages up to a target, or all. Without Prefect: tests/pipeline/flows/test_remote.py."""
    coordinator, worker = hosts
    for pool in ("cpu", "gpu"):
        server.prefect("work-pool", "create", pool, "--type", "process")
    server.prefect("deploy", "--all", cwd=coordinator.root)
    server.start_worker(coordinator)
    server._start(
        "gpu.log", "worker", "start", "--pool", "gpu", "--type", "process",
        cwd=worker.root, **{MARK: server.mark, "WSSS_DEVICE": "cpu", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    run = server.order(pools=["gpu"], jobs=1, targets=targets)
    state = server.wait(run, seconds=600)
    assert state["type"] == "COMPLETED", (state, server.logs(run)[-30:])
    lock, wanted = stages(coordinator), stages(recipe)
    if targets:
        assert LABELS in lock
        wanted = {name: wanted[name] for name in lock}
    else:
        ladders = [(project.root / "reports/ladder.csv").read_text() for project in (coordinator, recipe)]
        assert ladders[0] == ladders[1]
    assert lock == wanted
    states = {name: shown for name, (_, shown) in server.tasks(run).items() if name in lock}
    assert states == {name: "Restored" if name in ON_WORKERS else "Ran" for name in lock}
    assert worker.run("git", "status", "--porcelain").stdout == ""


def stages(project: Project) -> dict[str, Any]:
    return dict(read_yaml(project.root / "dvc.lock")["stages"])
