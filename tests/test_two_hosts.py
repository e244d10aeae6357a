"""The small recipe by a coordinator and a worker, each with a clone, that share nothing but a DVC remote."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.common.params import read_yaml
from tests.conftest import Project, make_project, warm_environment
from tests.pipeline.server import MARK, Server

ON_WORKERS = {"classifier", "seeds", "affinity@affinity_labels", "segmenter", "predictions"}  # meta.gpu


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


def test_two_hosts_make_the_same_lock_as_one(
    hosts: tuple[Project, Project], server: Server, recipe: Project
) -> None:
    coordinator, worker = hosts
    for pool in ("cpu", "gpu"):
        server.prefect("work-pool", "create", pool, "--type", "process")
    server.prefect("deploy", "--all", cwd=coordinator.root)
    server.start_worker(coordinator)
    server._start(
        "gpu.log", "worker", "start", "--pool", "gpu", "--type", "process",
        cwd=worker.root, **{MARK: server.mark, "WSSS_DEVICE": "cpu", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    run = server.order(pools=["gpu"], jobs=1)
    state = server.wait(run, seconds=600)
    assert state["type"] == "COMPLETED", (state, server.logs(run)[-30:])
    states = {
        name: name_of for name, (_, name_of) in server.tasks(run).items() if name in read_stages(recipe)
    }
    assert {name for name, shown in states.items() if shown == "Restored"} == ON_WORKERS
    assert {shown for name, shown in states.items() if name not in ON_WORKERS} == {"Ran"}
    assert read_yaml(coordinator.root / "dvc.lock") == read_yaml(recipe.root / "dvc.lock")
    assert worker.run("git", "status", "--porcelain").stdout == ""
    assert (coordinator.root / "reports/ladder.csv").read_text() == (
        recipe.root / "reports/ladder.csv"
    ).read_text()


def read_stages(project: Project) -> set[str]:
    return set(read_yaml(project.root / "dvc.lock")["stages"])
