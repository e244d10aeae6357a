"""`wsss serve`: Prefect's server, work pools, deployments and a worker on this machine, to look at runs.

It listens on 127.0.0.1 only, keeps its database in the project (.dvc/tmp/wsss/prefect), and so meets no
other server of the user's. It takes orders from pages of its own only, and asks for a password: the worker
runs whatever it is told. Nothing of it stays when it ends, however it ends (on Linux, kill -9 too).
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pipeline.engine import supervisor
from pipeline.flows import password
from pipeline.flows.deployments import Api, deploy
from pipeline.project import locks

HOST = "127.0.0.1"
POLL = 0.2
START, CANCEL, STOP = 300.0, 35.0, 15.0  # seconds that a start, a cancel of all runs and an end may take
UNFINISHED = ("RUNNING", "PENDING", "CANCELLING")
FOREIGN = ("PREFECT_API_", "PREFECT_PROFILE", "PREFECT_SERVER_DATABASE_", "PREFECT_SERVER_API_HOST")


def main(root: Path, port: int) -> int:
    """Serve until Ctrl-C, SIGTERM, or the terminal's end; 1 if the server or the worker ended by itself.

    Raises ValueError when the port is taken, the project is served already, or the password is a known one.
    """
    password.check(os.environ)
    home = password.home(root)
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)  # its database and its logs are nobody else's
    with locks.take(home / "lock", f"wsss serve, port {port}", "the Prefect server of this project"):
        _check_port(port)
        served = Served(root, home, port)
        try:
            served.start()
            _greet(served)
            return served.wait()
        except (ValueError, OSError):
            if served.asked:  # Ctrl-C reaches the deployer too
                return 0
            raise
        finally:
            served.stop()


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            message = f"port {port} is taken ({error.strerror}): choose another with `wsss serve --port N`"
            raise ValueError(message) from None


def environment(home: Path, port: int) -> dict[str, str]:
    """Of the server, the worker and the deployer: what points to another server of the user's is left out."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    env |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}",
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://{HOST}:{port}/api",
        "PREFECT_SERVER_UI_API_URL": f"http://{HOST}:{port}/api",  # the UI's own guess is port 4200
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://{HOST}:{port},http://localhost:{port}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "NO_COLOR": "1",
    }
    env.setdefault("PREFECT_WORKER_QUERY_SECONDS", "2")  # a run starts soon after it was asked for
    env[password.CLIENT] = env[password.SERVER] = env.get(password.SERVER) or password.own(home)
    return env


def _greet(served: "Served") -> None:
    """How to log in. The password itself is shown to a person only: a log is read by others too."""
    url, place = f"http://{HOST}:{served.port}", served.home.relative_to(served.root)
    own = not os.environ.get(password.SERVER)
    where = str(password.file(place)) if own else password.SERVER
    shown = f": {served.env[password.SERVER]}" if own and sys.stdout.isatty() else ""
    given = f'"$(cat {password.file(place)})"' if own else f'"${password.SERVER}"'
    print(f"The UI: {url}")
    print(f"It asks for the password in {where}{shown}")
    print("Start a run there under Deployments, on-demand; or in another terminal, here:")
    print(f"  export PREFECT_API_URL={url}/api {password.CLIENT}={given}")
    print("  prefect deployment run wsss/on-demand --watch")
    print(f"Logs are in {place}. Ctrl-C stops it all.", flush=True)


class Served:
    """The server and the worker, as children in sessions of their own: Ctrl-C comes to this process only."""

    def __init__(self, root: Path, home: Path, port: int) -> None:
        self.root, self.home, self.port = root, home, port
        self.env = environment(home, port)
        self.api = Api(self.env)
        self.server: subprocess.Popen[bytes] | None = None
        self.worker: subprocess.Popen[bytes] | None = None
        self.asked = 0  # how often it was asked to stop

    def start(self) -> None:
        supervisor.prctl(supervisor.PR_SET_CHILD_SUBREAPER, 1)  # engines of a killed worker come here
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask)
        at = ("--host", HOST, "--port", str(self.port))
        self.server = self._start("server", signal.SIGTERM, "server", "start", *at)
        late = f"the server did not start within {START:.0f} s: see {self.home / 'server.log'}"
        _until(self._healthy, START, late)
        for run in self._runs():  # of a time when this process was killed
            self._set(run, "CRASHED", "its server was stopped")
        deploy(self.root, self.env)
        # SIGTERM would let the worker finish its runs first. When it is killed, they end in order: ending.py.
        pool = ("--pool", "cpu", "--type", "process", "--name", "serve")
        self.worker = self._start("worker", signal.SIGKILL, "worker", "start", *pool)

    def _ask(self, *_: object) -> None:
        self.asked += 1

    def _start(self, name: str, ending: int, *arguments: str) -> subprocess.Popen[bytes]:
        """A process that gets the signal `ending` when this one is gone."""
        with (self.home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "prefect", *arguments],
                cwd=self.root, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
                preexec_fn=lambda: supervisor.prctl(supervisor.PR_SET_PDEATHSIG, ending),
            )  # fmt: skip

    def _healthy(self) -> bool:
        if self.asked or self.server is None or self.server.poll() is not None:
            raise ValueError(f"the server ended: see {self.home / 'server.log'}")
        with suppress(OSError):
            return bool(self.api("health"))
        return False

    def wait(self) -> int:
        """Until it is asked to stop, or something of it ends."""
        while not self.asked:
            for name, process in (("server", self.server), ("worker", self.worker)):
                if process is not None and process.poll() is not None:
                    print(f"error: the {name} ended: see {self.home / name}.log", file=sys.stderr)
                    return 1
            time.sleep(POLL)
        return 0

    def stop(self) -> None:
        """Runs first, then the worker, then the server. Asked once more, it waits for nothing."""
        asked = self.asked
        with suppress(OSError):  # the terminal may be gone
            print("stopping: runs, worker, server", flush=True)
        with suppress(OSError, ValueError):
            for run in self._runs():
                self._set(run, "CANCELLING", "wsss serve was stopped")
            _until(lambda: self.asked > asked or not self._runs(), CANCEL, "")
        _end(self.worker, lambda: self.asked > asked)
        with suppress(ValueError):  # what a killed worker left: engines end as their worker has
            _until(lambda: self.asked > asked + 1 or self._alone(), CANCEL, "")
        _end(self.server, lambda: self.asked > asked)

    def _alone(self) -> bool:
        """Whether no child but the server is left; those that have ended are collected."""
        for pid in supervisor.children(os.getpid()):
            if self.server is not None and pid == self.server.pid:
                continue
            with suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG) == (0, 0):
                    return False
        return True

    def _runs(self) -> list[str]:
        """The flow runs that have not ended; a scheduled one has not begun."""
        asked = {"flow_runs": {"state": {"type": {"any_": UNFINISHED}}}}
        return [run["id"] for run in self.api("flow_runs/filter", asked)]

    def _set(self, run: str, kind: str, message: str) -> None:
        state = {"type": kind, "name": kind.capitalize(), "message": message}
        self.api(f"flow_runs/{run}/set_state", {"state": state, "force": True})


def _end(process: subprocess.Popen[bytes] | None, impatient: Callable[[], bool]) -> None:
    if process is None or process.poll() is not None:
        return
    process.terminate()
    with suppress(ValueError):
        _until(lambda: impatient() or process.poll() is not None, STOP, "")
    process.kill()
    process.wait()


def _until(look: Callable[[], bool], seconds: float, problem: str) -> None:
    """Wait for it to be true. Raises ValueError when it takes longer."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise ValueError(problem)
        time.sleep(POLL)
