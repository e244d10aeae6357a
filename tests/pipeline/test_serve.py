"""`wsss serve`: everything starts, shows, and is gone afterwards, however it ends."""

import base64
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline import serve
from tests.conftest import Project
from tests.pipeline import stub
from tests.pipeline.server import MARK, Api, free_port, ours, until
from tests.pipeline.test_flow import add, make, traces

SECRET = "name:word"


class Serving:
    """A `wsss serve` and what its API says."""

    def __init__(self, project: Project, port: int, secret: str = "") -> None:
        self.project, self.port = project, port
        self.mark = f"serve-{port}-{project.root}"
        env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        env |= {"PYTHONPATH": stub.ROOT, MARK: self.mark, "PREFECT_API_KEY": "of another server"}
        env |= {"PREFECT_SERVER_API_AUTH_STRING": secret} if secret else {}
        self.env = env
        headers = {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"} if secret else {}
        self.api = Api(base_url=f"http://127.0.0.1:{port}/api", headers=headers, timeout=30)
        self.log = project.root / ".dvc" / "tmp" / "serve.out"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command(self.port), cwd=self.project.root, env=self.env, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        until(lambda: "Ctrl-C stops it all." in self.said() or self._ended(), 90, "serve")
        assert not self._ended(), self.said()

    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    @staticmethod
    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "pipeline.cli", "serve", "--port", str(port)]

    def said(self) -> str:
        return self.log.read_text()

    def refused(self, project: Project, port: int) -> str:
        done = subprocess.run(
            self.command(port), cwd=project.root, env=self.env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 1
        return done.stderr

    def order(self, **parameters: Any) -> str:
        found = self.api.get("/deployments/name/wsss/on-demand").raise_for_status().json()
        asked = self.api.post(f"/deployments/{found['id']}/create_flow_run", json={"parameters": parameters})
        return str(asked.raise_for_status().json()["id"])

    def state(self, run: str) -> str:
        return str(self.api.get(f"/flow_runs/{run}").raise_for_status().json()["state_type"])

    def send(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def gone(self) -> bool:
        """Nothing is left of it: no server, worker, engine or stage."""
        assert self.process is not None
        return self.process.poll() is not None and not ours(self.mark)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    project = make(tmp_path_factory.mktemp("serve") / "stub")
    serving = Serving(project, free_port(), SECRET)
    serving.start()
    yield serving
    for pid in ours(serving.mark):
        os.kill(pid, signal.SIGKILL)


def test_it_serves_this_machine_only(serving: Serving, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{serving.port}"
    assert f"The UI: {url}" in serving.said()
    assert f"PREFECT_API_URL={url}/api prefect deployment run wsss/on-demand" in serving.said()
    assert SECRET not in serving.said()
    assert httpx.post(f"{url}/api/flows/count", json={}).status_code == 401
    assert httpx.get(f"{url}/ui-settings").json()["api_url"] == f"{url}/api"
    assert serving.api.get("/admin/settings").json()["server"]["analytics_enabled"] is False
    assert listening(serving.port) == ["0100007F"]  # 127.0.0.1
    pools = serving.api.post("/work_pools/filter", json={}).json()
    assert {pool["name"]: pool["type"] for pool in pools} == {"cpu": "process", "gpu": "process"}
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert "is held by wsss serve, port" in serving.refused(serving.project, port)
        assert f"error: port {port} is taken" in serving.refused(stub.make(tmp_path / "second"), port)


def listening(port: int) -> list[str]:
    """The addresses, as the kernel writes them, at which somebody listens on a port."""
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    tables = [Path("/proc/net/tcp").read_text(), Path("/proc/net/tcp6").read_text()]
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    at = [row[1].split(":") for row in rows if row[3] == "0A"]
    return [address for address, number in at if int(number, 16) == port]


def test_it_ends_with_the_terminal_and_keeps_what_it_knew(serving: Serving) -> None:
    nightly = serving.api.get("/deployments/name/wsss/nightly").json()
    (schedule,) = nightly["schedules"]
    place = f"/deployments/{nightly['id']}/schedules/{schedule['id']}"
    assert not schedule["active"] and serving.api.patch(place, json={"active": True}).is_success
    busy = at_work(serving, 1)
    serving.send(signal.SIGHUP)
    until(serving.gone, 60, "nothing left")
    assert serving.process is not None and serving.process.returncode == 0
    serving.start()
    assert serving.state(busy) == "CANCELLED"
    (schedule,) = serving.api.get("/deployments/name/wsss/nightly").json()["schedules"]
    assert schedule["active"]  # a new deployment would have paused it


def test_kill_9_leaves_nothing_and_the_next_one_goes_on(serving: Serving) -> None:
    if sys.platform != "linux":
        pytest.skip("nothing tells a process that its parent is dead")
    busy = at_work(serving, 2)
    serving.send(signal.SIGKILL)
    until(serving.gone, 60, "nothing left")
    add(serving.project, generate={"value": 2})
    serving.start()
    assert serving.state(busy) == "CRASHED"
    again = serving.order(targets=["generate"])
    until(lambda: serving.state(again) == "COMPLETED", 60, "the next run")
    serving.send(signal.SIGTERM)
    until(serving.gone, 30, "nothing left")


def at_work(serving: Serving, value: int) -> str:
    """A run that will not end by itself."""
    add(serving.project, generate={"value": value, "seconds": 600, "children": True})
    stub.traced(serving.project)
    run = serving.order()
    until(lambda: "generate" in traces(serving.project), 60, "a stage at work")
    return run


def test_what_points_to_another_server_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("API_KEY", "API_URL", "PROFILE", "SERVER_DATABASE_CONNECTION_URL", "API_AUTH_STRING"):
        monkeypatch.setenv(f"PREFECT_{name}", "elsewhere")
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")
    env = serve.environment(tmp_path, 4300)
    assert "elsewhere" not in env.values()
    assert env["PREFECT_API_URL"] == env["PREFECT_SERVER_UI_API_URL"] == "http://127.0.0.1:4300/api"
    assert (env["PREFECT_SERVER_ANALYTICS_ENABLED"], env["DO_NOT_TRACK"]) == ("false", "1")
    assert env["PREFECT_LOGGING_LEVEL"] == "DEBUG"
