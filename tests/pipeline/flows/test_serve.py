"""`wsss serve`: everything starts, shows, and is gone afterwards, however it ends."""

import base64
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.flows import password, serve
from tests import browser
from tests.conftest import Project
from tests.pipeline import stub
from tests.pipeline.flows.test_flow import add, make, traces
from tests.pipeline.server import MARK, Api, free_port, ours, until

ORDERS = """async ([url, login]) => {
  const body = '{"name": "evil"}';
  const order = (headers, mode) => fetch(`${url}/flows/`, {method: "POST", mode, headers, body})
    .then(answer => answer.type == "opaque" ? "unread" : `${answer.status}`, () => "no answer");
  const socket = new Promise(done => {
    const opened = new WebSocket(`${url.replace("http", "ws")}/events/in`);
    opened.onopen = () => done("open");
    opened.onclose = () => done("closed");
  });
  return [
    await order({"Content-Type": "application/json"}, "cors"),
    await order({"Content-Type": "application/json", "Authorization": login}, "cors"),
    await order({"Content-Type": "text/plain"}, "no-cors"),
    await fetch(`${url}/version`, {headers: {Authorization: login}}).then(() => "read", () => "no answer"),
    await fetch(`${url}/health`).then(() => "read", () => "no answer"),
    await socket,
  ];
}"""


class Serving:
    """A `wsss serve` and what its API says."""

    def __init__(self, project: Project, port: int) -> None:
        self.project, self.port = project, port
        self.file = project.root / ".dvc" / "tmp" / "wsss" / "prefect" / "password"
        self.mark = f"serve-{port}-{project.root}"
        env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        env |= {"PYTHONPATH": stub.ROOT, MARK: self.mark, "PREFECT_API_KEY": "of another server"}
        env["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] = "*"  # of another server too
        self.env = env
        self.api = Api(base_url=f"http://127.0.0.1:{port}/api", timeout=30)
        self.log = project.root / ".dvc" / "tmp" / "serve.out"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command(self.port), cwd=self.project.root, env=self.env, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        until(lambda: "Ctrl-C stops it all." in self.said() or self._ended(), 240, "serve")
        assert not self._ended(), self.said()
        self.api.headers["Authorization"] = self.login

    @property
    def secret(self) -> str:
        return self.file.read_text().strip()

    @property
    def login(self) -> str:
        return f"Basic {base64.b64encode(self.secret.encode()).decode()}"

    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    @staticmethod
    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "pipeline.cli", "serve", "--port", str(port)]

    def said(self) -> str:
        return self.log.read_text()

    def refused(self, project: Project, port: int) -> str:
        done = subprocess.run(
            self.command(port), cwd=project.root, env=self.env, capture_output=True, text=True, timeout=180
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
    serving = Serving(project, free_port())
    serving.start()
    yield serving
    for pid in ours(serving.mark):
        os.kill(pid, signal.SIGKILL)


def test_it_serves_this_machine_only(serving: Serving, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{serving.port}"
    assert f"The UI: {url}" in serving.said()
    assert f"export PREFECT_API_URL={url}/api " in serving.said()
    assert "  prefect deployment run wsss/on-demand --watch\n" in serving.said()
    file = serving.file.relative_to(serving.project.root)
    assert f'PREFECT_API_AUTH_STRING="$(cat {file})"' in serving.said()
    assert len(serving.secret) >= 32 and serving.secret not in serving.said()
    assert stat.filemode(serving.file.stat().st_mode) == "-rw-------"
    assert stat.filemode(serving.file.parent.stat().st_mode) == "drwx------"
    assert not any(serving.secret in command for command in ours(serving.mark).values())
    for name in ("server.log", "worker.log"):
        assert serving.secret not in (serving.file.parent / name).read_text()
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


def test_pages_of_others_give_no_orders(serving: Serving, page: Any) -> None:
    """Neither one of another origin, though it had the password, nor one whose name leads here."""
    url = f"http://127.0.0.1:{serving.port}"
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        page.goto(f"http://127.0.0.1:{other.server_address[1]}/")
        answers = page.evaluate(ORDERS, [f"{url}/api", serving.login])
        other.shutdown()
    assert answers == ["no answer", "no answer", "unread", "no answer", "no answer", "closed"]
    rebound = httpx.post(f"{url}/api/flows/", json={"name": "evil"}, headers={"Host": "evil.example"})
    assert rebound.status_code == 401
    assert serving.api.get("/flows/name/evil").status_code == 404


class Page(BaseHTTPRequestHandler):
    """Of another origin."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>other</title>")

    def log_message(self, *_: Any) -> None: ...


def test_the_ui_works_with_the_password_only(serving: Serving, page: Any) -> None:
    for host in ("127.0.0.1", "localhost"):  # the API's own address, and another name of it
        page.goto(f"http://{host}:{serving.port}/deployments")
        browser.log_in(page, serving.secret)
        page.get_by_text("on-demand", exact=True).first.wait_for()


def test_another_terminal_of_the_project_needs_no_password(serving: Serving) -> None:
    url = f"http://127.0.0.1:{serving.port}/api"
    root = serving.project.root
    assert password.of_served(root, {"PREFECT_API_URL": url}) == {password.CLIENT: serving.secret}
    for env in ({"PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api"}, {}, {password.CLIENT: "other"}):
        assert not password.of_served(root, env)
    assert not password.of_served(serving.file.parent, {"PREFECT_API_URL": url})
    env = {**serving.env, "PREFECT_API_URL": url, "PREFECT_API_KEY": ""}
    command = [sys.executable, "-m", "pipeline.cli", "deploy"]
    done = subprocess.run(command, cwd=root, text=True, capture_output=True, env=env)
    assert done.returncode == 0 and "wsss/on-demand is deployed" in done.stdout, done.stdout + done.stderr
    assert not done.stderr


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
    until(serving.gone, 180, "nothing left")
    assert serving.process is not None and serving.process.returncode == 0
    serving.start()
    assert serving.state(busy) == "CANCELLED"
    (schedule,) = serving.api.get("/deployments/name/wsss/nightly").json()["schedules"]
    assert schedule["active"]  # a new deployment would have paused it


@pytest.mark.storm
def test_kill_9_leaves_nothing_and_the_next_one_goes_on(serving: Serving) -> None:
    if sys.platform != "linux":
        pytest.skip("nothing tells a process that its parent is dead")
    busy = at_work(serving, 2)
    serving.send(signal.SIGKILL)
    until(serving.gone, 180, "nothing left")
    add(serving.project, generate={"value": 2})
    serving.start()
    assert serving.state(busy) == "CRASHED"
    again = serving.order(targets=["generate"])
    until(lambda: serving.state(again) == "COMPLETED", 180, "the next run")
    serving.send(signal.SIGTERM)
    until(serving.gone, 90, "nothing left")


def at_work(serving: Serving, value: int) -> str:
    """A run that will not end by itself."""
    add(serving.project, generate={"value": value, "seconds": 600, "children": True})
    stub.traced(serving.project)
    run = serving.order()
    until(lambda: "generate" in traces(serving.project), 180, "a stage at work")
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
    assert env["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] == "http://127.0.0.1:4300,http://localhost:4300"


def test_the_password_is_kept_and_the_user_s_own_goes_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(password.SERVER, raising=False)
    first = serve.environment(tmp_path, 4300)
    assert first[password.SERVER] == first[password.CLIENT] == password.own(tmp_path)
    password.file(tmp_path).chmod(0o644)  # somebody may have read it
    assert password.own(tmp_path) not in ("", first[password.SERVER])
    monkeypatch.setenv(password.SERVER, "mine")
    env = serve.environment(tmp_path, 4300)
    assert env[password.SERVER] == env[password.CLIENT] == "mine"
    for known in ("name:password", '"${WSSS_PASSWORD:?is not set}"', "${WSSS_PASSWORD}"):
        monkeypatch.setenv(password.SERVER, known)
        with pytest.raises(ValueError, match="is the example of deploy"):
            serve.main(tmp_path, 4300)


def test_the_file_for_a_group_is_nothing_without_a_password() -> None:
    command = ["sh", "-c", f'set -a; . deploy/prefect.env; echo "${password.SERVER} ${password.CLIENT}"']
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, cwd=stub.ROOT, env=env, capture_output=True, text=True)
    assert done.returncode and not done.stdout and "WSSS_PASSWORD: is not set" in done.stderr
    done = subprocess.run(
        command, cwd=stub.ROOT, env={**env, "WSSS_PASSWORD": "a b"}, capture_output=True, text=True
    )
    assert done.stdout == "a b a b\n"


def test_risks_of_a_server() -> None:
    assert password.risks("http://127.0.0.1:1/api") == []
    (plain,) = password.risks("http://prefect.invalid:4200/api")
    assert "is plain http" in plain
    assert password.risks("https://prefect.invalid/api") == []
    assert password.is_here("localhost") and password.is_here("::1") and not password.is_here("10.0.0.1")
