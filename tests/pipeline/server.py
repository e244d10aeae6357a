"""A real Prefect server with a worker, for tests; what the API says, and which processes are there."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx

from pipeline.flows import deployments
from tests.conftest import Project
from tests.pipeline.stub import ROOT

T = TypeVar("T")
MARK = "WSSS_TEST_MARK"  # in the environment of all that a server and its worker start
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")


def until(look: Callable[[], T], seconds: float, what: str, pause: float = 0.1) -> T:
    """The first true value of `look`."""
    deadline = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(pause)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ours(mark: str) -> dict[int, str]:
    """Process ids and command lines of those that carry a mark."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if f"{MARK}={mark}\0".encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


class Api(httpx.Client):
    """Asks again when the server's SQLite is busy, as Prefect's own client does.

    A busy disk makes the server answer 503, or nothing for longer than the timeout. What only reads is asked
    again after that, too, twice at most; what creates may have been done before its answer was lost.
    """

    def request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Response:
        left = 2 if method == "GET" or str(url).endswith("/filter") else 0
        deadline = time.monotonic() + 20
        while True:
            try:
                answer = super().request(method, url, **options)
            except httpx.ReadTimeout:
                if not left:
                    raise
                left, deadline = left - 1, time.monotonic() + 20
                continue
            if answer.status_code != 503:
                return answer
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.2)


class Server:
    """`prefect server` on a port of its own with its own database, and at most one worker.

    `more` are further variables of the environment of all that it starts, as DVC's in `warm`.
    """

    def __init__(self, home: Path, **more: str) -> None:
        self.home, self.port = home, free_port()
        self.mark = f"{home.name}-{self.port}"
        self.worker: subprocess.Popen[bytes] | None = None
        home.mkdir(parents=True)
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        self.env |= {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": ROOT, "PREFECT_HOME": str(home), "DO_NOT_TRACK": "1",
            "PREFECT_API_URL": f"http://127.0.0.1:{self.port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_WORKER_QUERY_SECONDS": "1",
            "DVC_NO_ANALYTICS": "1", **more,
        }  # fmt: skip
        self.api = Api(base_url=self.env["PREFECT_API_URL"], timeout=30)
        self.start()

    def start(self) -> None:
        command = ["server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = self._start("server.log", *command)
        until(self._healthy, 180, "the server")

    def _healthy(self) -> bool:
        try:
            return self.api.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def _start(
        self, log: str, *arguments: str, cwd: Path | None = None, **env: str
    ) -> subprocess.Popen[bytes]:
        with (self.home / log).open("ab") as file:
            return subprocess.Popen(
                [sys.executable, "-m", "prefect", *arguments],
                cwd=cwd or self.home, env={**self.env, **env}, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            )  # fmt: skip

    def prefect(self, *arguments: str, cwd: Path | None = None) -> str:
        """The output of a command of Prefect's."""
        done = subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
            cwd=cwd or self.home, env=self.env, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def deploy(self) -> None:
        """Pools and deployments, as `wsss deploy` makes them."""
        deployments.deploy(Path(ROOT), self.env)

    def start_worker(self, project: Project) -> None:
        """Its children carry this server's mark."""
        command = ["worker", "start", "--pool", "cpu", "--type", "process", "--name", "test"]
        self.worker = self._start("worker.log", *command, cwd=project.root, **{MARK: self.mark})

    def kill_worker(self) -> None:
        if self.worker is not None:
            self.worker.kill()
            self.worker.wait()

    def stop(self) -> None:
        """Kill all of it."""
        for process in (self.worker, self.process):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        for pid in ours(self.mark):
            os.kill(pid, signal.SIGKILL)

    def order(
        self, deployment: str = "on-demand", env: Mapping[str, str] | None = None, **parameters: Any
    ) -> str:
        """Ask for a run of a deployment, whose process has `env` too; returns its id."""
        found = self.api.get(f"/deployments/name/wsss/{deployment}").raise_for_status().json()
        body = {"parameters": parameters, "job_variables": {"env": env or {}}}
        asked = self.api.post(f"/deployments/{found['id']}/create_flow_run", json=body)
        return str(asked.raise_for_status().json()["id"])

    def run(self, deployment: str = "on-demand", **parameters: Any) -> str:
        """Let it run to its end; returns its id."""
        run = self.order(deployment, **parameters)
        self.wait(run)
        return run

    def state(self, run: str) -> dict[str, Any]:
        state = self.api.get(f"/flow_runs/{run}").raise_for_status().json()["state"]
        return dict(state)

    def seconds(self, run: str) -> float:
        """How long a flow run was at work."""
        return float(self.api.get(f"/flow_runs/{run}").raise_for_status().json()["total_run_time"])

    def wait(self, run: str, types: tuple[str, ...] = ENDED, seconds: float = 240) -> dict[str, Any]:
        """Its state, once it is of one of the types."""

        def look() -> dict[str, Any] | None:
            state = self.state(run)
            return state if state["type"] in types else None

        try:
            return until(look, seconds, f"flow run in {types}", pause=0.3)
        except AssertionError as error:
            log = (self.home / "worker.log").read_text()[-3000:]
            raise AssertionError(f"{error}: {self.state(run)}\n{log}") from None

    def tasks(self, run: str) -> dict[str, tuple[str, str]]:
        """Type and name of the state of each task run, by its name."""
        body = {"flow_runs": {"id": {"any_": [run]}}}
        rows = self.api.post("/task_runs/filter", json=body).raise_for_status().json()
        return {row["name"]: (row["state_type"] or "PENDING", row["state_name"] or "") for row in rows}

    def ended_tasks(self, run: str, count: int) -> dict[str, tuple[str, str]]:
        """As `tasks`, once all have ended: task runs are told to the server as events, a little late."""

        def look() -> dict[str, tuple[str, str]] | None:
            found = self.tasks(run)
            return found if len(found) == count and all(t in ENDED for t, _ in found.values()) else None

        return until(look, 20, f"{count} ended tasks")

    def logs(self, run: str) -> list[str]:
        body = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC"}
        return [row["message"] for row in self.api.post("/logs/filter", json=body).raise_for_status().json()]

    def artifact(self, run: str, key: str) -> Any:
        body = {"artifacts": {"flow_run_id": {"any_": [run]}, "key": {"any_": [key]}}}
        rows = self.api.post("/artifacts/filter", json=body).raise_for_status().json()
        assert len(rows) == 1, (key, len(rows))
        return rows[0]["data"]
