"""Every check of `wsss doctor` is made to fail on purpose."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine import worktrees
from pipeline.memory import rwlock
from pipeline.project import gpus, ledger, locks, places, processor
from pipeline.upkeep import doctor
from pipeline.upkeep.checks import (
    OK,
    PROBLEM,
    WARNING,
    Line,
    SlowError,
    held,
    logs,
    machine,
    probe,
    project,
    server,
    versions,
    workers,
)
from tests.conftest import Project, make_project
from tests.pipeline import stub

PREFECT = metadata.version("prefect")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside other tests an import takes its time: only the tests of slowness call it slow."""
    monkeypatch.setattr("pipeline.upkeep.checks.SLOW", 3600.0)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Four stages have run, and are committed."""
    made = stub.make(tmp_path_factory.mktemp("doctor") / "project")
    made.run("dvc", "repro", "-q", "classifier")
    made.run("git", "add", "-A")
    made.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "ran")
    return made


@pytest.fixture
def place(ran: Project, tmp_path: Path) -> Project:
    return ran.copy(tmp_path / "project")


def found(check: Callable[[Path], Any], place: Project) -> list[tuple[str, str]]:
    return [(line.mark, line.text) for line in check(place.root)]


def only(check: Callable[[Path], Any], place: Project) -> Line:
    lines = list(check(place.root))
    assert len(lines) == 1, lines
    assert bool(lines[0].do) == (lines[0].mark != OK), "what to do, where it is not well"
    return lines[0]


# All of it


DOCTOR = """
import sys
from pipeline import cli
from pipeline.memory import plan
from pipeline.upkeep import checks
checks.SLOW = 3600.0  # beside other tests an import takes its time
looks = []
plan.make = lambda root, make=plan.make: looks.append(root) or make(root)
sys.argv = ["wsss", "doctor"]
try:
    cli.main()
finally:
    heavy = sorted({"torch", "torchvision", "prefect", "pandas", "matplotlib"} & set(sys.modules))
    print(f"looked {len(looks)} times; loaded {heavy}")
"""


def test_a_sound_project(place: Project, tmp_path: Path) -> None:
    """As a user sees it, with telemetry off: nothing to do.

    It looks at the project once, and only its children load large libraries, each once.
    """
    quiet = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "PREFECT_API_URL": ""}
    env = {"PREFECT_HOME": str(tmp_path), "PYTHONPATH": stub.ROOT, "WSSS_LOGS": "dvclive", **quiet}
    *lines, cost = place.run(sys.executable, "-c", DOCTOR, **env).stdout.splitlines()
    assert cost == "looked 1 times; loaded []"
    assert lines[-1] == "all is well", lines
    assert all(line.startswith("ok ") for line in lines[:-1])
    names = (
        "versions python git params dvc.lock cache remote disk cpu gpu prefect server logs telemetry locks"
    )
    assert set(names.split()) <= {line.split()[1] for line in lines[:-1]}


def test_a_broken_one_never_raises(place: Project) -> None:
    (place.root / "dvc.yaml").write_text("stages: [")
    (place.root / ".dvc" / "config").write_text("[core\n")
    done = stub.wsss(place, "doctor", "--json", check=False, PREFECT_API_URL="http://127.0.0.1:9/api")
    assert done.returncode == 1
    checks = json.loads(done.stdout)["checks"]
    problems = {line["check"] for line in checks if line["mark"] == PROBLEM}
    assert {"params", "cache", "remote", "locks", "server"} <= problems
    assert {line["check"]: line["mark"] for line in checks}["git"] == OK


def test_a_check_that_crashes_is_a_problem(tmp_path: Path) -> None:
    def check(_: Path) -> Iterator[Line]:
        yield Line(OK, "x", "so far")
        raise KeyError("inside")

    first, second = doctor.guarded("x", check, tmp_path)
    assert (first.mark, second.mark, second.check) == (OK, PROBLEM, "x")
    assert "KeyError: 'inside'" in second.text


def test_a_child_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.upkeep.checks.PATIENCE", 1.0)
    with pytest.raises(SlowError, match="no answer within 1 s") as raised:
        probe(tmp_path, "import time; print('{\"a\": 1}', flush=True); time.sleep(60)")
    assert raised.value.values == {"a": 1}


def test_a_dvc_that_works_is_not_waited_for(place: Project) -> None:
    from dvc.repo import Repo

    with Repo(str(place.root)) as repo, repo.lock:
        lines = [*doctor._unless_busy("params", project.parameters)(place.root)]
        assert [(line.mark, line.check) for line in lines] == [(OK, "params")]
        assert "not looked at" in lines[0].text
        assert (OK, f"this checkout: a dvc command works there now (pid {os.getpid()})") in found(
            held.held, place
        )
    assert "not looked at" not in only(doctor._unless_busy("params", project.parameters), place).text


# Versions


def test_versions_against_constraints(place: Project) -> None:
    assert [mark for mark, _ in found(versions.versions, place)] == [OK], (
        "no constraints.txt, nothing to compare"
    )
    mine = metadata.version("numpy")
    text = f"# pins\nnumpy=={mine}  # as it is\nrich==0.1\ndvc>=1\nnot-installed==1\n\n"
    (place.root / "constraints.txt").write_text(text)
    first, second = found(versions.versions, place)
    assert first[0] == OK
    assert f"dvc {metadata.version('dvc')}" in first[1]
    assert second == (WARNING, f"others than tried: rich {metadata.version('rich')} (tried: ==0.1)")


def test_a_local_build_satisfies_its_pin(place: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.root / "constraints.txt").write_text("torch==2.13.0\n")
    monkeypatch.setattr(versions, "installed", lambda name: "2.13.0+cpu" if name == "torch" else None)
    monkeypatch.setattr(versions, "needed", list)
    assert [mark for mark, _ in found(versions.versions, place)] == [OK]


@pytest.mark.parametrize(("missing", "mark"), [(["prefect"], WARNING), (["prefect", "rich"], PROBLEM)])
def test_what_is_missing(
    place: Project, monkeypatch: pytest.MonkeyPatch, missing: list[str], mark: str
) -> None:
    assert "prefect" in versions.needed()
    assert "pytest" not in versions.needed(), "an extra"
    real = versions.installed
    monkeypatch.setattr(versions, "installed", lambda name: None if name in missing else real(name))
    assert (mark, f"not installed: {', '.join(missing)}") in found(versions.versions, place)


def test_two_opencv(place: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "installed", lambda name: "1" if name.startswith("opencv") else None)
    monkeypatch.setattr(versions, "needed", list)
    assert found(versions.versions, place)[-1][0] == WARNING


def test_another_python_comes_first(place: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "bin" / "python"
    other.parent.mkdir()
    other.symlink_to(sys.executable)  # the same program, but not this environment
    monkeypatch.setenv("PATH", f"{other.parent}:{os.environ['PATH']}")
    line = only(versions.interpreter, place)
    assert (line.mark, str(other) in line.text) == (WARNING, True)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert only(versions.interpreter, place).mark == OK


# The machine

SEES = {"version": "2.13.0", "cuda": True, "names": ["Some GPU"], "bf16": True}
BLIND = {"version": "2.13.0+cpu", "cuda": False, "names": [], "bf16": False}


@pytest.mark.parametrize(
    ("devices", "torch", "mark", "says"),
    [
        ([], BLIND, OK, "none: stages run on the CPU"),
        (["0"], SEES, OK, "1: Some GPU; bf16"),
        (["0"], {**SEES, "bf16": False}, OK, "1: Some GPU; no bf16: `precision: bf16` is slow on it"),
        (
            ["0", "1"],
            BLIND,
            WARNING,
            "2 by nvidia-smi, but torch 2.13.0+cpu cannot use CUDA: stages are slow",
        ),
        ([], SEES, WARNING, "torch sees Some GPU, nvidia-smi does not: two stages may meet on it"),
    ],
)
def test_gpu(
    place: Project,
    monkeypatch: pytest.MonkeyPatch,
    devices: list[str],
    torch: dict[str, Any],
    mark: str,
    says: str,
) -> None:
    monkeypatch.delenv("WSSS_DEVICE", raising=False)
    monkeypatch.setattr(gpus, "devices", lambda: devices)
    monkeypatch.setattr(machine, "probe", lambda *_: torch)
    line = only(machine.gpu, place)
    assert (line.mark, line.text) == (mark, says)


def test_a_broken_torch(place: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so: cannot open')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    line = only(machine.gpu, place)
    assert (line.mark, "ImportError: libcudart.so: cannot open" in line.text) == (PROBLEM, True)
    assert "force-reinstall" in line.do


@pytest.mark.parametrize("program", ["raise MemoryError('no room')", "import os; os.kill(os.getpid(), 9)"])
def test_a_torch_that_is_not_broken_is_not_installed_again(
    place: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    (tmp_path / "torch.py").write_text(f"{program}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    line = only(machine.gpu, place)
    assert (line.mark, "install" in line.do) == (PROBLEM, False)


def test_a_slow_import_is_slow(place: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "devices", list)
    monkeypatch.setattr("pipeline.upkeep.checks.SLOW", 40.0)
    monkeypatch.setattr(machine, "probe", lambda *_: {**BLIND, "seconds": 40.4})
    late, rest = machine.gpu(place.root)
    assert (late.mark, late.text) == (WARNING, "the import of torch is slow (40 s)")
    assert "install" not in late.do and rest.text == "none: stages run on the CPU"

    def hangs(*_: Any) -> Any:
        raise SlowError(
            "no answer within 600 s", {"url": None, "auth": None, "key": None, "analytics": False}
        )

    monkeypatch.setattr(machine, "probe", hangs)
    monkeypatch.setattr(server, "probe", hangs)
    for line in (only(machine.gpu, place), next(iter(server.prefect(place.root)))):
        assert (line.mark, "slow: no answer within 600 s" in line.text) == (WARNING, True)
        assert "install" not in line.do


def test_who_waits_for_a_check_is_told(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(doctor, "QUIET", 0.05)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    gone = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(lambda: gone.wait(10) and [])
        threading.Timer(0.3, gone.set).start()
        assert doctor._waited("gpu", future) == []
    assert "waiting for the check `gpu`" in capsys.readouterr().err


def test_a_server_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: Any) -> Any:
        raise TimeoutError("timed out")

    monkeypatch.setattr(server, "get", late)
    line = server.reachable(settings("http://x/api"))
    assert (line.mark, "no answer within 30 s: it is slow" in line.text) == (WARNING, True)


@pytest.mark.parametrize(
    ("text", "precision", "mark"),
    [
        ("flags\t: fpu amx_bf16 sse", "bf16", OK),
        ("flags\t: fpu", "bf16", WARNING),
        ("flags\t: fpu", "fp32", OK),
    ],
)
def test_precision(
    place: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, precision: str, mark: str
) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\n{text}\n")
    known = processor.flags(file)
    assert known == set(text.split()[2:])
    monkeypatch.setattr(processor, "flags", lambda _: known)
    monkeypatch.setattr(gpus, "devices", list)
    place.change(seeds={"value": 0, "precision": precision})
    line = only(machine.cpu, place)
    assert line.mark == mark
    assert ("seeds" in line.text) == (mark == WARNING)


def test_disk_space_against_the_estimate(place: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of 64 bytes; what is below a change may run. Eleven stages never ran."""
    never = set(stub.READS) - {"parameters", "generate", "dataset", "classifier"}
    assert machine.needed(place.root) == (0, [name for name in place_order(place) if name in never])
    place.change(dataset__value=5)
    (place.root / ".scratch").mkdir(exist_ok=True)
    shutil.rmtree(place.root / ".scratch")
    ledger.append(place.root, {"x": 1})  # one line of 9 bytes
    wanted = 2 * (2 + 64 + 64)  # parameters.ok, dataset and classifier, in the workspace and the cache
    assert machine.needed(place.root)[0] == wanted
    monkeypatch.setattr(machine, "_free", lambda _: wanted - 1)
    line = only(machine.disk, place)
    assert line.mark == PROBLEM
    assert line.text.startswith(
        "259 B free for the workspace, 259 B free for the cache; .scratch holds 9 B; "
    )
    assert "a run needs about 260 B and what seeds, " in line.text
    monkeypatch.setattr(machine, "_free", lambda _: wanted)
    assert only(machine.disk, place).mark == WARNING, "enough for this run, but nearly full"
    monkeypatch.setattr(machine, "_free", lambda _: 10**9)
    assert only(machine.disk, place).mark == OK


def place_order(place: Project) -> list[str]:
    from pipeline.memory import graph

    return list(graph.read(place.root).stages)


# The project


def test_params_that_a_run_would_refuse(tmp_path: Path) -> None:
    real = make_project(tmp_path / "real")
    assert only(project.parameters, real).mark == OK
    real.change(seeds__method="camm")
    line = only(project.parameters, real)
    assert (line.mark, "seeds.method" in line.text) == (PROBLEM, True)


def test_git_without_a_commit(tmp_path: Path) -> None:
    empty = Project(tmp_path)
    empty.run("git", "init", "-q")
    assert only(project.git_works, empty).mark == WARNING


@pytest.mark.parametrize("part", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("copied", [True, False])
def test_a_damaged_lock(place: Project, part: float, copied: bool) -> None:
    """Against the copy of the last run, or what git has."""
    if copied:
        stub.wsss(place, "run", "parameters")
        place.run("git", "rm", "-q", "--cached", "dvc.lock")
        place.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "forgotten")
    assert only(project.lock, place).mark == OK
    file = place.root / "dvc.lock"
    whole = file.read_text()
    file.write_text(whole[: int(part * len(whole))])
    line = only(project.lock, place)
    assert (line.mark, "`wsss run`" in line.do) == (PROBLEM, True)
    assert "classifier" in line.text
    stub.wsss(place, "run", "parameters")
    assert only(project.lock, place).mark == OK
    assert file.read_text() == whole


def test_an_older_lock_of_git_is_no_damage(place: Project) -> None:
    """Switching branches takes entries away."""
    text = (place.root / "dvc.lock").read_text()
    (place.root / "dvc.lock").write_text(text[: text.index("  classifier:")])
    place.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qam", "less")
    assert only(project.lock, place).mark == OK


def test_cache_types(place: Project, tmp_path: Path) -> None:
    line = only(project.cache, place)
    assert line.mark == OK
    kinds = line.text.split("linked by ")[1].split(";")[0].split(", ")
    assert {"hardlink", "symlink", "copy"} <= set(kinds)  # one file system
    assert line.text.endswith(": outputs take no space twice") == ("reflink" in kinds)
    left = [path.name for path in place.root.iterdir() if path.name.endswith(".tmp")]
    assert not left
    for types, mark in (("hardlink,copy", PROBLEM), ("reflink,symlink", PROBLEM), ("reflink,copy", OK)):
        place.run("dvc", "config", "cache.type", types)
        lines = list(project.cache(place.root))
        assert lines[-1].mark == mark
        assert ("link: an edit in place" in lines[-1].text) == (mark == PROBLEM)


def test_remotes(place: Project, tmp_path: Path) -> None:
    assert only(project.remote, place).text.startswith("none")
    place.run("dvc", "remote", "add", "depot", str(tmp_path / "depot"))
    assert (only(project.remote, place).mark, "depot" in only(project.remote, place).do) == (WARNING, True)
    place.run("dvc", "remote", "default", "depot")
    assert only(project.remote, place).text.startswith("depot: ")


def test_telemetry_of_dvc(place: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_NO_ANALYTICS", raising=False)
    assert only(project.telemetry, place).mark == OK
    place.run("dvc", "config", "core.analytics", "true")
    assert only(project.telemetry, place).mark == WARNING
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    assert only(project.telemetry, place).mark == OK


# Prefect


class Api(BaseHTTPRequestHandler):
    """Health is open to all, the version is not: as Prefect's server with an authentication string."""

    login: str | None = None
    version = PREFECT

    def do_GET(self) -> None:
        wanted = None if self.login is None else f"Basic {b64encode(self.login.encode()).decode()}"
        if self.path == "/api/health":
            self._answer(200, True)
        elif self.path == "/api/version" and wanted in (None, self.headers.get("Authorization")):
            self._answer(200, self.version)
        else:
            self._answer(401 if self.path == "/api/version" else 404, {})

    def _answer(self, code: int, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def api(login: str | None = None, version: str = PREFECT) -> Iterator[str]:
    """A server that answers; its URL."""
    handler = type("Handler", (Api,), {"login": login, "version": version})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_address[1]}/api"
        finally:
            http.shutdown()
            thread.join()


def settings(url: str | None, auth: str | None = None) -> dict[str, Any]:
    return {"url": url, "auth": auth, "key": None, "analytics": False}


@pytest.mark.parametrize(
    ("login", "mine", "mark", "says"),
    [
        (None, None, OK, " answers"),
        ("admin:secret", "admin:secret", OK, " answers"),
        ("admin:secret", "admin:other", PROBLEM, " refuses the login (401)"),
        ("admin:secret", None, PROBLEM, " refuses the login (401)"),
    ],
)
def test_a_server_that_answers(login: str | None, mine: str | None, mark: str, says: str) -> None:
    with api(login) as url:
        line = server.reachable(settings(url, mine))
        assert (line.mark, line.text) == (mark, url + says)
        assert "secret" not in line.do


def test_no_server_and_one_that_is_gone() -> None:
    assert server.reachable(settings(None)).mark == OK
    with api() as url:
        pass
    line = server.reachable(settings(url))
    assert (line.mark, f"{url} does not answer: " in line.text) == (PROBLEM, True)


def test_other_servers() -> None:
    with api(version="2.20.0") as url:
        line = server.reachable(settings(url))
        assert (line.mark, line.text) == (WARNING, f"{url} is Prefect 2.20.0, here is {PREFECT}")
        line = server.reachable(settings(f"{url}/x"))
        assert (line.mark, line.text) == (PROBLEM, f"{url}/x answers 404: is it a Prefect server?")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Prefect with nothing set."""
    for name in list(os.environ):
        if name.startswith("PREFECT_") or name == "DO_NOT_TRACK":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    (tmp_path / "prefect").mkdir()
    return tmp_path / "prefect"


def test_prefect_as_the_active_profile_sets_it(
    place: Project, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with api("admin:secret") as url:
        (home / "profiles.toml").write_text(
            f'active = "here"\n[profiles.here]\nPREFECT_API_URL = "{url}"\n'
            'PREFECT_API_AUTH_STRING = "admin:secret"\n[profiles.other]\nPREFECT_API_URL = "http://x/api"\n'
        )
        lines = list(server.prefect(place.root))
        assert [(line.mark, line.check) for line in lines] == [
            (OK, "prefect"), (OK, "server"), (WARNING, "telemetry"),
        ]  # fmt: skip
        assert lines[1].text == f"{url} answers"
        assert lines[2].text == "Prefect's server and client may report its use"
        assert lines[2].do == "export PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1"
        monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        monkeypatch.setenv("DO_NOT_TRACK", "1")
        assert [line.mark for line in server.prefect(place.root)] == [OK, OK, OK]


def test_one_of_two_telemetry_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DO_NOT_TRACK", "0")
    assert server.silent(settings(None)).text == "Prefect's client may report its use"
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    line = server.silent({**settings(None), "analytics": True})
    assert (line.mark, line.text) == (WARNING, "Prefect's server may report its use")


def test_a_server_that_cannot_start(
    place: Project, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a FastAPI that is too new; what Prefect is set to is known all the same."""
    words = "Body() got an unexpected keyword argument"
    (tmp_path / "lib" / "fastapi").mkdir(parents=True)
    (tmp_path / "lib" / "fastapi" / "__init__.py").write_text(f"raise TypeError('{words}')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    lines = list(server.prefect(place.root))
    assert [line.mark for line in lines] == [PROBLEM, OK, WARNING]
    assert (words in lines[0].text, '"fastapi<0.151"' in lines[0].do) == (True, True)
    assert lines[1].text.startswith("none configured")


@pytest.mark.parametrize(
    ("name", "version", "bad"),
    [
        ("fastapi", "0.150.2", 0),
        ("fastapi", "0.151.0", 1),
        ("sqlalchemy", "2.0.44", 0),
        ("sqlalchemy", "2.1.0", 1),
    ],
)
def test_libraries_that_break_prefect_in_silence(
    monkeypatch: pytest.MonkeyPatch, name: str, version: str, bad: int
) -> None:
    monkeypatch.setattr(server, "installed", lambda asked: version if asked == name else None)
    lines = list(server.traps())
    assert [line.mark for line in lines] == [PROBLEM] * bad


def test_without_prefect(place: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "installed", lambda _: None)
    assert only(server.prefect, place).mark == WARNING


# Locks


@pytest.fixture
def process() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start Python lines with arguments; ended after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(program: str, *arguments: str, **more: Any) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", program, *arguments], **more))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.wait()


SLEEP = "import time; time.sleep(600)"


def write_rwlock(place: Project, *entries: tuple[int, str]) -> Path:
    path = place.root / ".dvc" / "tmp" / "rwlock"
    write = {f"{place.root}/data/{n}": {"pid": pid, "cmd": cmd} for n, (pid, cmd) in enumerate(entries)}
    read = {f"{place.root}/work.py": [{"pid": pid, "cmd": cmd} for pid, cmd in entries]}
    path.write_text(json.dumps({"write": write, "read": read}))
    return path


def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_nothing_is_held(place: Project) -> None:
    assert only(held.held, place).text.startswith("none is held")


def test_entries_of_dead_processes(place: Project, process: Callable[..., subprocess.Popen[bytes]]) -> None:
    dead, alive = gone(), process(SLEEP, "repro", "-s", "seeds").pid
    path = write_rwlock(place, (dead, "dvc repro -s generate"), (alive, "/bin/dvc repro -s seeds"))
    assert found(held.held, place) == [
        (
            WARNING,
            f"this checkout: pid {dead} (dvc repro -s generate) is gone and still has 2 paths in DVC's list",
        ),
        (OK, f"this checkout: pid {alive} (/bin/dvc repro -s seeds) has 2 paths"),
    ]
    done = held.clear_locks(place.root)
    assert [f"pid {dead} " in line for line in done[:1]] == [True]
    left = json.loads(path.read_text())
    assert [entry["pid"] for entry in left["write"].values()] == [alive]
    assert [entry["pid"] for entry in left["read"][f"{place.root}/work.py"]] == [alive]
    assert [mark for mark, _ in found(held.held, place)] == [OK]


def test_clearing_from_the_command_line(place: Project) -> None:
    write_rwlock(place, (gone(), "dvc repro -s generate"))
    old_worktree(place, "left")
    path = places.input_lock(place.root / ".dvc" / "cache", "seeds", "0" * 64)
    locks.take(path, "wsss-run-1", "x").release()
    done = stub.wsss(place, "doctor", "--clear-locks", "--clear-worktrees", "--json", PREFECT_API_URL="")
    checks = json.loads(done.stdout)["checks"]
    cleared = [line["text"] for line in checks if line["check"] == "cleared"]
    assert cleared[1:] == ["lock files that nobody holds: 1", "worktree .worktrees/left"]
    assert {line["mark"] for line in checks if line["check"] in ("locks", "worktrees")} == {OK}


def test_a_number_that_is_another_program_now(
    place: Project, process: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """DVC would wait for it for ever. It is not cleared: who knows."""
    pid = process(SLEEP).pid
    path = write_rwlock(place, (pid, "dvc repro -s seeds"))
    assert [entry.state for entry in rwlock.entries(place.root)] == [rwlock.ANOTHER]
    assert only(held.held, place).mark == WARNING
    assert rwlock.clear(place.root) == []
    assert str(pid) in path.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="waitid leaves a zombie")
def test_a_zombie_is_dead(place: Project, process: Callable[..., subprocess.Popen[bytes]]) -> None:
    """What a container's first process does not collect."""
    pid = process("").pid
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    write_rwlock(place, (pid, "dvc repro"))
    assert [entry.state for entry in rwlock.entries(place.root)] == [rwlock.DEAD]


@pytest.mark.parametrize("text", ["", '{"write": {"a": {"pi', "[]", '{"write": {"a": 1}}'])
def test_a_list_that_stops_every_dvc(place: Project, text: str) -> None:
    path = place.root / ".dvc" / "tmp" / "rwlock"
    path.write_text(text)
    assert place.run("dvc", "status", "generate", check=False).returncode != 0
    line = only(held.held, place)
    assert (line.mark, "--clear-locks" in line.do) == (PROBLEM, True)
    with locks.take(places.worktree_lock(place.root), "a run", "x"):
        assert rwlock.clear(place.root) == []
    cleared = [(line.mark, line.text) for line in doctor.clear(place.root, True, False)]
    assert cleared[0] == (OK, f"{path}: it was damaged")
    assert place.run("dvc", "status", "generate").returncode == 0


def test_a_held_worktree_is_named(place: Project) -> None:
    with locks.take(places.worktree_lock(place.root), "wsss-run-7", "x"):
        line = only(held.held, place)
        assert line.mark == OK
        assert line.text.startswith(f"this checkout: held by wsss-run-7 (pid {os.getpid()} on ")


def test_a_lock_that_outlives_its_run(
    place: Project, process: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """The run is gone, what it started has inherited the lock."""
    path = places.worktree_lock(place.root)
    program = (
        "import subprocess, sys, pathlib; from pipeline.project import locks;"
        "lock = locks.take(pathlib.Path(sys.argv[1]), 'wsss-run-7', 'x');"
        f"print(subprocess.Popen([sys.executable, '-c', {SLEEP!r}], pass_fds=[lock.handle],"
        "stdout=subprocess.DEVNULL).pid)"
    )
    run = process(program, str(path), stdout=subprocess.PIPE, cwd=stub.ROOT)
    pid = int(run.communicate()[0])
    try:
        assert locks.is_held(path)
        line = only(held.held, place)
        assert (line.mark, line.do) == (WARNING, f"kill {pid}")
        assert f"this checkout: held by what wsss-run-7 (pid {run.pid} on " in line.text
    finally:
        os.kill(pid, 9)


def test_what_a_killed_run_has_left_running(
    place: Project, process: Callable[..., subprocess.Popen[bytes]]
) -> None:
    mark = {"WSSS_WORKTREE": str(place.root.resolve())}
    pid = process(SLEEP, "stage", env={**os.environ, **mark}).pid
    line = only(held.held, place)
    assert (line.mark, f"pid {pid} (" in line.text) == (WARNING, True)


def test_input_locks_beside_the_cache(place: Project, tmp_path: Path) -> None:
    free, taken = (
        places.input_lock(place.root / ".dvc" / "cache", name, "0" * 64) for name in ("seeds", "affinity")
    )
    for old in free.parent.glob("*"):
        old.unlink()
    locks.take(free, "wsss-run-1", "x").release()
    assert "1 old lock files" in only(held.held, place).text
    with locks.take(taken, "wsss-run-2", "x"):
        line = only(held.held, place)
        assert (line.mark, "affinity with its inputs: held by wsss-run-2 " in line.text) == (OK, True)
        assert held.clear_locks(place.root) == ["lock files that nobody holds: 1"]
        assert (free.exists(), taken.exists()) == (False, True)
        with pytest.raises(locks.HeldError):
            locks.take(taken, "wsss-run-3", "x")
    assert held.clear_locks(place.root) == ["lock files that nobody holds: 1"]


def test_a_lock_file_that_is_removed_while_somebody_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs must not hold two files of one name: the second look finds that it holds a removed one."""
    path = tmp_path / "lock"
    real = locks._lock

    def late(handle: int) -> bool:
        monkeypatch.setattr(locks, "_lock", real)
        path.unlink()
        return real(handle)

    monkeypatch.setattr(locks, "_lock", late)
    with locks.take(path, "first", "it"), pytest.raises(locks.HeldError, match="it is held by first"):
        locks.take(path, "second", "it")
    assert not locks.is_held(path)


def test_gpu_locks(place: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(gpus, "devices", lambda: ["0", "1"])
    with locks.take(gpus.place("1", 0), "wsss-run-1", "x"):
        texts = [text for _, text in found(held.held, place)]
        assert [text.startswith("GPU 1-slot-0: held by wsss-run-1") for text in texts] == [True]


# What is left over


def old_worktree(place: Project, name: str, temporary: bool = True) -> Path:
    """A worktree that was made a while ago, for one run or to stay."""
    made = worktrees.create(place.root, name)
    for path in (made, made / ".dvc" / "config.local"):
        os.utime(path, (time.time() - 100, time.time() - 100))
    if temporary:
        places.temporary(made).parent.mkdir(parents=True, exist_ok=True)
        places.temporary(made).touch()
    return made


def test_worktrees_that_nobody_works_in(place: Project) -> None:
    assert only(held.leftover, place).text == "none left over"
    left, busy = (old_worktree(place, name) for name in ("left", "busy"))
    weekly = old_worktree(place, "weekly", temporary=False)
    young = worktrees.create(place.root, "young")  # its run is about to lock it
    with locks.take(places.worktree_lock(busy), "wsss-run-1", "x"):
        os.utime(busy, (0, 0))
        line = only(held.leftover, place)
        assert (line.mark, line.text) == (WARNING, ".worktrees/left is left over")
        assert "--clear-worktrees" in line.do
        assert held.clear_worktrees(place.root) == ["worktree .worktrees/left"]
        assert [path.exists() for path in (left, busy, weekly, young)] == [False, True, True, True]
        line = only(held.leftover, place)
        assert (line.mark, line.text) == (OK, "busy, young: in use; weekly: kept by name")
    assert str(left) not in place.run("git", "worktree", "list").stdout


def test_unfinished_files(place: Project) -> None:
    assert only(held.partial, place).mark == OK
    names = ["data/.seeds.partial", ".params.yaml.7.partial", "reports/crf/.a.partial"]
    (place.root / "reports" / "crf").mkdir(parents=True)
    (place.root / names[0]).mkdir()
    (place.root / names[0] / "x.partial").touch()  # not apart from its folder
    (place.root / names[1]).touch()
    (place.root / names[2]).touch()
    line = only(held.partial, place)
    assert (line.mark, line.text) == (WARNING, f"3 left by killed stages: {', '.join(sorted(names))}")
    with locks.take(places.worktree_lock(place.root), "wsss-run-1", "x"):
        assert only(held.partial, place).mark == OK, "a run writes them now"


def test_training_logs_where_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WSSS_LOGS", raising=False)
    assert list(logs.logs(tmp_path)) == []
    monkeypatch.setenv("WSSS_LOGS", "dvclive")
    (line,) = logs.logs(tmp_path)
    assert (line.mark, line.text) == (OK, "each epoch of each training goes to logs/dvclive, too")
    monkeypatch.setenv("WSSS_LOGS", "mlflow")
    (line,) = doctor.guarded("logs", logs.logs, tmp_path)
    assert line.mark == PROBLEM and line.text.startswith("WSSS_LOGS=mlflow: give one of tensorboard, dvclive")


def test_a_dask_scheduler_is_asked_where_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(workers.dask(tmp_path)) == []
    monkeypatch.setenv("WSSS_DASK", "foo")
    (line,) = doctor.guarded("dask", workers.dask, tmp_path)
    assert line.mark == PROBLEM and line.text.startswith("WSSS_DASK=foo: give tcp://")
    monkeypatch.setenv("WSSS_DASK", "local:3")
    assert [line.text for line in workers.dask(tmp_path)] == ["per-picture work goes to 3 processes here"]
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WSSS_DASK", f"tcp://127.0.0.1:{there.getsockname()[1]}")
        (line,) = workers.dask(tmp_path)
        assert line.mark == PROBLEM and "no Dask scheduler answers" in line.text and "unset" in line.do
        there.listen()
        with ThreadPoolExecutor() as pool:  # as a scheduler greets: how many bytes will come
            greeting = pool.submit(lambda: there.accept()[0].send((58).to_bytes(8, "little")))
            (line,) = workers.dask(tmp_path)
            greeting.result()
        assert line.mark == OK and "answers" in line.text
    monkeypatch.setattr(workers, "installed", lambda name: None)
    (line,) = workers.dask(tmp_path)
    assert line.mark == PROBLEM and line.do.endswith('".[dask]"')
