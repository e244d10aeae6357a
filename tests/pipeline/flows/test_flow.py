"""The flow on a real server with a real worker, over the stub graph."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ruamel.yaml import YAML

from pipeline.memory import plan
from pipeline.project import places
from stages.common.params import read_yaml
from tests.conftest import Project, drawn, warm_environment
from tests.pipeline import stub
from tests.pipeline.server import MARK, Server, ours, until
from tests.warm import COLD

ALL = list(stub.READS)
META = {"predictions": {"timeout": "3s"}}


def make(root: Path, meta: dict[str, dict[str, Any]] | None = None) -> Project:
    """The stub as a worker finds it: with the flow and the deployments in its folder."""
    project = stub.make(root, meta)
    for name in ("pipeline", "prefect.yaml"):
        (project.root / name).symlink_to(Path(stub.ROOT) / name)
    (project.root / ".git" / "info" / "exclude").write_text("/pipeline\n/prefect.yaml\n")
    return project


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("prefect") / "home", **warm_environment())
    try:
        server.deploy()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Project:
    """The stub, once run by the flow; its worker is at work."""
    project = make(tmp_path_factory.mktemp("flow") / "stub", META)
    server.start_worker(project)
    project.first = server.run()  # type: ignore[attr-defined]
    return project


@pytest.fixture(autouse=True)
def as_committed(project: Project) -> Iterator[None]:
    """A test that fails in its middle leaves the next ones the parameters of the first run."""
    yield
    project.run("git", "checkout", "--quiet", "--", "params.yaml")


def outputs(project: Project) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((project.root / "data").iterdir())}


def clean(project: Project) -> bool:
    return project.run("git", "status", "--porcelain", "--untracked-files=no").stdout == ""


def test_each_stage_is_a_task_run_named_by_its_outcome(server: Server, project: Project) -> None:
    run = project.first  # type: ignore[attr-defined]
    assert server.state(run)["type"] == "COMPLETED"
    assert server.ended_tasks(run, len(ALL)) == dict.fromkeys(ALL, ("COMPLETED", "Ran"))
    assert sorted(stub.traced(project)) == sorted(set(ALL) - {"parameters"})


def test_edges_are_the_graph_s(server: Server, project: Project) -> None:
    run = project.first  # type: ignore[attr-defined]
    body = {"flow_runs": {"id": {"any_": [run]}}}
    rows = server.api.post("/task_runs/filter", json=body).json()
    names = {row["id"]: row["name"] for row in rows}
    edges = {
        row["name"]: {names[above["id"]] for above in row["task_inputs"].get("wait_for", [])} for row in rows
    }
    lock = read_yaml(project.root / "dvc.lock")["stages"]
    makes = {out["path"]: name for name, stage in lock.items() for out in stage["outs"]}
    reads = {name: {dep["path"] for dep in stage["deps"]} for name, stage in lock.items()}
    assert edges == {name: {makes[path] for path in paths & set(makes)} for name, paths in reads.items()}
    assert len(edges["report"]) == 5


def test_lines_are_in_the_log_of_the_run(server: Server, project: Project) -> None:
    run = project.first  # type: ignore[attr-defined]
    wanted = {f"{name}: working" for name in ALL if name != "parameters"}
    until(lambda: wanted <= set(server.logs(run)), 20, "the lines of all stages")


def test_the_report_has_a_row_per_stage(server: Server, project: Project) -> None:
    text = server.artifact(project.first, "wsss-report")  # type: ignore[attr-defined]
    assert text == (places.state(project.root) / "report.md").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert [row[0].removeprefix("| ") for row in rows[2:]] == ALL
    assert {(row[1], row[2], row[5].rstrip(" |")) for row in rows[2:]} == {("will run", "ran", plan.NEVER)}
    assert "all 15 stages are up to date" in text.splitlines()[0]


def test_what_did_not_change_starts_nothing(server: Server, project: Project) -> None:
    stub.traced(project)  # of the first run, whichever tests ran before
    ledger = (project.root / ".scratch" / "ledger.jsonl").read_text()
    run = server.run()
    assert server.seconds(run) < server.seconds(project.first) / 2  # type: ignore[attr-defined]
    assert server.ended_tasks(run, len(ALL)) == dict.fromkeys(ALL, ("COMPLETED", "Unchanged"))
    assert stub.traced(project) == []
    assert (project.root / ".scratch" / "ledger.jsonl").read_text() == ledger


def test_a_failure_fails_the_run_and_blocks_what_is_below(server: Server, project: Project) -> None:
    add(project, pseudo_labels={"value": 0, "fail": True}, evaluation={"value": 1})
    run = server.run()
    assert server.state(run)["type"] == "FAILED"
    assert server.state(run)["message"] == (
        "pseudo_labels failed: it was told to fail; blocked: segmenter, predictions,"
        " evaluation@pseudo_labels, evaluation@predictions, report"
    )
    tasks = server.ended_tasks(run, len(ALL))
    assert tasks["pseudo_labels"] == ("FAILED", "Failed")
    below = ["segmenter", "predictions", "evaluation@pseudo_labels", "evaluation@predictions", "report"]
    assert {tasks[name] for name in below} == {("CANCELLED", "Blocked")}  # neither green nor red
    assert {tasks[name] for name in ("evaluation@seeds", "evaluation@crf")} == {("COMPLETED", "Ran")}
    add(project, pseudo_labels={"value": 0}, evaluation={"value": 0})
    (again,) = direct(server, project, {})
    tasks = server.ended_tasks(again["run"], len(ALL))
    restored = {"parameters", "evaluation@seeds", "evaluation@crf"}  # pseudo_labels kept its output
    assert {name for name, state in tasks.items() if state[1] == "Restored"} == restored
    assert {state for name, state in tasks.items() if name not in restored} == {("COMPLETED", "Unchanged")}
    stub.traced(project)


def test_overrides_become_a_branch_and_leave_the_checkout_alone(server: Server, project: Project) -> None:
    before = outputs(project)
    lock = (project.root / "dvc.lock").read_text()
    commit = project.run("git", "rev-parse", "HEAD").stdout
    run = server.run(name="other", overrides={"segmenter.value": 7}, targets=["predictions"])
    assert server.state(run)["message"] == "all 10 stages are up to date"
    tasks = server.ended_tasks(run, 10)
    assert {name for name, state in tasks.items() if state[1] == "Ran"} == {
        "parameters", "segmenter", "predictions"
    }  # fmt: skip
    assert stub.traced(project) == []
    assert (clean(project), outputs(project), (project.root / "dvc.lock").read_text()) == (True, before, lock)
    assert project.run("git", "rev-parse", "HEAD", "--abbrev-ref", "HEAD").stdout == commit + "main\n"
    assert not list((project.root / ".worktrees").iterdir())
    assert len(project.run("git", "worktree", "list").stdout.splitlines()) == 1
    assert "segmenter:\n  value: 7" in project.run("git", "show", "wsss/run/other:params.yaml").stdout
    branch_lock = project.run("git", "show", "wsss/run/other:dvc.lock").stdout
    assert branch_lock != lock and set(YAML(typ="safe").load(branch_lock)["stages"]) == set(tasks)
    text = server.artifact(run, "wsss-report")
    assert "| segmenter.value | 0 | 7 |" in text
    assert server.api.get(f"/flow_runs/{run}").json()["name"] == "other"


REFUSED = [
    ({"name": "other", "overrides": {"seeds.value": 1}}, "wsss/run/other is a finished run: give this one"),
    ({"name": "x", "overrides": {"seeds.valeu": 1}}, "no seeds.valeu; did you mean seeds.value?"),
    ({"name": "y", "revision": "nowhere"}, "git knows no revision 'nowhere'"),
    ({"name": "a/b", "preset": "psa"}, "'a/b' is no name of a run"),
    ({"targets": ["seed"]}, "there is no stage 'seed'; there are parameters, generate"),
    ({"force": ["seed"]}, "there is no stage 'seed'; there are parameters, generate"),
    ({"jobs": 0}, "jobs must be 1 or more, found 0"),
]


def test_what_cannot_be_done_is_said(server: Server, project: Project) -> None:
    states = direct(server, project, *(asked for asked, _ in REFUSED))
    for state, (asked, message) in zip(states, REFUSED, strict=True):
        assert state["type"] == "FAILED" and message in state["message"], (asked, state)
    assert stub.traced(project) == []
    assert not list((project.root / ".worktrees").iterdir())


def direct(server: Server, project: Project, *asked: dict[str, Any], **env: str) -> list[dict[str, str]]:
    """Flow runs one after another in a process without a worker; their final states."""
    done = subprocess.run(
        [sys.executable, "-c", DIRECT, json.dumps(asked)],
        cwd=project.root, env={**server.env, MARK: server.mark, **env},
        capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


DIRECT = """
import json, sys
from pipeline.flows.flow import wsss
for asked in json.loads(sys.argv[1]):
    state = wsss(**asked, return_state=True)
    run = str(state.state_details.flow_run_id)
    print(json.dumps({"type": state.type.value, "message": state.message, "run": run}))
"""


def test_nightly_has_a_worktree_that_stays(server: Server, project: Project) -> None:
    deployment = server.api.get("/deployments/name/wsss/nightly").json()
    schedules = [(each["schedule"]["cron"], each["active"]) for each in deployment["schedules"]]
    assert schedules == [("0 2 * * *", False)]
    assert deployment["parameters"] == {"revision": "main", "worktree": "nightly"}
    asked = {**deployment["parameters"], "targets": ["dataset"]}
    runs = [ended["run"] for ended in direct(server, project, asked, asked)]
    outcomes = [{name for _, name in server.ended_tasks(run, 3).values()} for run in runs]
    assert outcomes == [{"Restored"}, {"Unchanged"}]
    place = project.root / ".worktrees" / "nightly"
    assert (place / "data" / "dataset").read_text() == (project.root / "data" / "dataset").read_text()
    branches = project.run("git", "branch", "--list", "wsss/run/*", "--format=%(refname:short)").stdout
    assert {*branches.split()} - {"wsss/run/other"} == {"wsss/run/nightly"}  # other: of a test before
    assert clean(project)


class Chat(BaseHTTPRequestHandler):
    """Takes what a webhook posts."""

    heard: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append(json.loads(content)["text"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_a_nightly_run_that_fails_is_told(server: Server, project: Project) -> None:
    chat = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=chat.serve_forever, daemon=True).start()
    script = [sys.executable, f"{stub.ROOT}/deploy/nightly_alert.py"]
    address = f"http://127.0.0.1:{chat.server_port}/"
    for _ in range(2):  # the second time it replaces
        subprocess.run([*script, address], cwd=project.root, env=server.env, check=True, capture_output=True)
    server.prefect("automation", "create", "--from-file", f"{stub.ROOT}/deploy/zombies.yaml")
    made = server.api.post("/automations/filter", json={}).json()
    assert sorted((each["name"], each["trigger"]["within"]) for each in made) == [
        ("wsss-never-began", 600), ("wsss-nightly-failed", 0), ("wsss-zombies", 600),
    ]  # fmt: skip
    assert server.state(server.run(targets=["nothing"]))["type"] == "FAILED"  # on demand: nobody is told
    runs: list[str] = []
    while not Chat.heard and len(runs) < 3:  # on SQLite Prefect drops an event that met a lock four times
        runs.append(server.run("nightly", revision="nowhere", worktree="nightly"))
        with suppress(AssertionError):
            until(lambda: Chat.heard, 30, "the alert")
    chat.shutdown()
    assert Chat.heard and all("Failed. git knows no revision 'nowhere'" in text for text in Chat.heard)
    told = [text.rstrip().rpartition("/runs/flow-run/")[2] for text in Chat.heard]
    assert set(told) <= set(runs) and len(told) == len(set(told))  # once for each


def test_what_waits_for_a_place_is_not_shown_as_running(server: Server, project: Project) -> None:
    """Four evaluations with two places: never more than two bars beside each other, and two at some time."""
    add(project, evaluation={"value": 5, "seconds": 0.5})
    (ended,) = direct(server, project, {"jobs": 2})
    server.ended_tasks(ended["run"], len(ALL))
    body = {"flow_runs": {"id": {"any_": [ended["run"]]}}}
    rows = server.api.post("/task_runs/filter", json=body).json()
    bars = [(row["start_time"], row["end_time"]) for row in rows if row["name"].startswith("evaluation@")]
    at_once = [sum(start <= begin < end for start, end in bars) for begin, _ in bars]
    assert len(bars) == 4 and max(at_once) == 2
    add(project, evaluation={"value": 0})
    stub.traced(project)


def test_a_cancel_leaves_nothing_and_a_second_run_is_refused(server: Server, project: Project) -> None:
    """One stage ends at once, as a training that saves its checkpoint; one ignores SIGTERM."""
    stub.traced(project)
    add(project, affinity={"value": 1, "hang": True, "children": True})
    add(project, evaluation={"value": 2, "seconds": 600})
    run = server.order(env=COLD, name="first", jobs=3)
    until(lambda: {"affinity", "evaluation@seeds"} <= set(traces(project)), 120, "two stages at work")
    (refused,) = direct(server, project, {"name": "second"})
    assert refused["type"] == "FAILED" and "is held by flow run first (pid" in refused["message"]
    server.prefect("flow-run", "cancel", run)
    start = time.monotonic()  # the server knows; how long a command of Prefect's takes to load is not ours
    until(lambda: only_worker(server), 35, "nothing but the worker")
    server.wait(run, ("CANCELLED",), 35 - (time.monotonic() - start))
    tasks = server.ended_tasks(run, len(ALL))
    assert tasks["affinity"] == tasks["evaluation@seeds"] == ("CANCELLED", "Cancelled")
    assert tasks["report"] == tasks["pseudo_labels"] == ("CANCELLED", "Blocked")
    add(project, affinity={"value": 0}, evaluation={"value": 0})
    stub.traced(project)


def traces(project: Project) -> list[str]:
    file = project.root / "trace"
    return file.read_text().split() if file.exists() else []


def only_worker(server: Server) -> bool:
    assert server.worker is not None
    return set(ours(server.mark)) <= {server.worker.pid}


# Who is killed, and how many seconds after the first sign of the engine, of its run, or of a stage's work.
KILLS = [
    ("engine", "engine", 0.2), ("worker", "predictions", 0.0), ("engine", "predictions", 0.2),
    ("worker", "running", 0.0), ("engine", "running", 0.4), ("worker", "predictions", 0.5),
    ("engine", "evaluation@predictions", 0.1), ("worker", "evaluation@predictions", 0.4),
]  # fmt: skip


@pytest.mark.parametrize(("victim", "sign", "delay"), drawn(KILLS, 1))
def test_kill_9_leaves_no_orphan_and_the_next_run_is_right(
    server: Server, project: Project, victim: str, sign: str, delay: float
) -> None:
    value = KILLS.index((victim, sign, delay)) + 10
    asked = {"targets": ["evaluation@predictions"]}
    add(project, affinity={"value": 0})  # the test before may have failed while it hung
    add(project, predictions={"value": value, "children": True, "seconds": 0.4})
    add(project, evaluation={"value": value, "seconds": 1})
    stub.traced(project)
    if server.worker is None or server.worker.poll() is not None:  # the case before has failed
        server.start_worker(project)
    until(lambda: only_worker(server), 60, "the end of the run before")
    run = server.order(env=COLD, **asked)
    engine = until(lambda: engines(server), 120, "an engine")[0]
    if sign == "running":
        server.wait(run, ("RUNNING",))
    elif sign != "engine":
        until(lambda: sign in traces(project), 120, sign)
    time.sleep(delay)
    assert server.worker is not None
    os.kill(engine if victim == "engine" else server.worker.pid, signal.SIGKILL)
    if victim == "worker":
        server.worker.wait()
    until(lambda: only_worker(server), 60, "no orphan")
    assert server.wait(run)["type"] == "CRASHED"
    if (victim, sign) == ("engine", "predictions"):  # in the middle of it
        assert server.tasks(run)["predictions"] == ("RUNNING", "Running")  # Prefect's own view
    if victim == "worker":
        server.start_worker(project)
    (ended,) = direct(server, project, asked, **COLD)  # a supervisor ends the children of what it has started
    assert ended["message"] == "all 11 stages are up to date"
    names = [Path(stub.out(name)).name for name in ("parameters", "predictions", "evaluation@predictions")]
    assert [outputs(project)[name] for name in names] == [expected(project)[name] for name in names]


def test_killed_runs_leave_no_task_running_in_the_ui(server: Server, project: Project) -> None:
    """Each next run ends them, if they are old enough."""
    asked = {"targets": ["generate"]}
    until(lambda: direct(server, project, asked) and not open_tasks(server), 60, "no task at work")


def open_tasks(server: Server) -> list[str]:
    body = {"task_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING"]}}}}
    return [row["name"] for row in server.api.post("/task_runs/filter", json=body).json()]


def engines(server: Server) -> list[int]:
    return [pid for pid, command in ours(server.mark).items() if "prefect.engine" in command]


def expected(project: Project) -> dict[str, str]:
    """The outputs, computed here as work.py does."""
    params = read_yaml(project.root / "params.yaml")
    made = {"parameters.ok": "ok"}
    for name, above in stub.READS.items():
        if name == "parameters":
            continue
        digest = hashlib.sha256(repr(params[name.split("@")[0]]["value"]).encode())
        reads = [other for other in above if not (name.startswith("evaluation@") and other == "dataset")]
        for path in [stub.out("parameters"), *map(stub.out, reads)]:
            digest.update(made[Path(path).name].encode())
        made[Path(stub.out(name)).name] = digest.hexdigest()
    return made


def add(project: Project, **sections: dict[str, Any]) -> None:
    """Replace whole sections of params.yaml."""
    path = project.root / "params.yaml"
    values = read_yaml(path) | sections
    YAML().dump(values, path)


@pytest.mark.storm
def test_the_server_is_gone_in_the_middle(server: Server, project: Project) -> None:
    """The last of all, since it ends the server.

    The stage goes on, dvc.lock has its outcome, and the exit status says that something was wrong. The run
    asks twice again: a busy SQLite says 503 while the server lives.
    """
    add(project, generate={"value": 3, "seconds": 3})
    stub.traced(project)
    done = subprocess.Popen(
        [sys.executable, "-c", "from pipeline.flows.flow import wsss; wsss(targets=['dataset'])"],
        cwd=project.root, env={**server.env, MARK: server.mark, "PREFECT_CLIENT_MAX_RETRIES": "2"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    until(lambda: "generate" in traces(project) or done.poll() is not None, 120, "the stage")
    ended = done.poll()
    server.process.kill()
    output, _ = done.communicate(timeout=180)
    assert ended is None, f"ended before the stage began:\n{output}"
    assert done.returncode == 1, output
    made = ("dataset", "generate", "parameters.ok")
    assert [outputs(project)[name] for name in made] == [expected(project)[name] for name in made]
    assert plan.make(project.root, ["dataset"]).rows["dataset"].state == "unchanged"
    assert stub.traced(project) == ["generate", "dataset"]
