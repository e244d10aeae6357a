"""A sweep through a real Prefect server: runs as sub-flows, each with its stages as tasks."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pipeline.project import git
from pipeline.project.tables import read_csv
from tests.conftest import warm_environment
from tests.pipeline import stub
from tests.pipeline.server import MARK, Server, ours, until
from tests.pipeline.sweep.conftest import Swept, commit

STAGES = ["generate", "parameters", "pseudo_labels", "report", "seeds"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("prefect") / "home")
    try:
        yield server
    finally:
        server.stop()


def start(swept: Swept, server: Server, *arguments: str, **more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pipeline.cli", "sweep", *arguments, "--through", "prefect"]
    env = {**swept.env, **server.env, MARK: server.mark, **more}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=swept.root, env=env, **pipes)


def flow_runs(server: Server, name: str) -> dict[str, dict]:
    """The flow runs whose names begin so, by name."""
    body = {"flow_runs": {"name": {"like_": name}}}
    return {row["name"]: row for row in server.api.post("/flow_runs/filter", json=body).json()}


def rows(swept: Swept, name: str) -> list[dict[str, str]]:
    return read_csv(swept.root / "reports/sweeps" / name / "points.csv")


def test_each_run_is_a_sub_flow(swept: Swept, server: Server) -> None:
    """One of three fails; the others end as branches, and work that they share is done once."""
    stub.set_params(swept, "seeds", fail=False)
    commit(swept)
    grid = ("seeds.fail=false,true", "report.value=1,2", "--name", "all")
    process = start(swept, server, *grid, "-j", "2", **warm_environment())
    text = process.communicate(timeout=300)[0]
    assert process.returncode == 1, text
    assert swept.traced() == ["generate", "pseudo_labels", "report", "report", "seeds", "seeds", "seeds"]
    found = flow_runs(server, "all")
    assert {name: row["state_type"] for name, row in found.items()} == {
        "all": "FAILED", "all-01": "COMPLETED", "all-02": "COMPLETED", "all-03": "FAILED", "all-04": "FAILED",
    }  # fmt: skip
    parents = {name: row["parent_task_run_id"] for name, row in found.items()}
    assert parents.pop("all") is None and all(parents.values())
    tasks = server.ended_tasks(found["all-01"]["id"], len(STAGES))
    assert sorted(tasks) == STAGES and {state for state, _ in tasks.values()} == {"COMPLETED"}
    why = "seeds failed: it was told to fail; blocked: pseudo_labels, report"
    assert found["all-03"]["state"]["message"] == why
    assert found["all"]["state"]["message"] == "2 of 4 runs are not finished: all-03, all-04"
    assert [(row["outcome"], row["why"]) for row in rows(swept, "all")] == [("finished", "")] * 2 + [
        ("failed", why)
    ] * 2
    assert [row["seeds.miou"] for row in rows(swept, "all")] == ["40.00", "40.00", "", ""]
    assert git.branches(swept.root) == ["all-01", "all-02"] and swept.left() == []


def test_ctrl_c_ends_all_in_order(swept: Swept, server: Server) -> None:
    stub.set_params(swept, "seeds", seconds=600)
    commit(swept)
    process = start(swept, server, "seeds.value=1,2,3", "--name", "stop", "-j", "2")
    try:
        until(lambda: swept.trace.exists() and swept.trace.read_text().count("seeds") == 2, 240, "two")
        os.kill(process.pid, signal.SIGINT)
        text = process.communicate(timeout=180)[0]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, text
    assert ours(server.mark) == {} and swept.left() == [] and git.branches(swept.root) == []
    assert [row["outcome"] for row in rows(swept, "stop")] == ["cancelled", "cancelled", "not run"]
