"""`wsss run` on the stub graph: what runs at the same time, what a failure stops, how it ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.engine import recipe
from pipeline.engine.stage import Run
from pipeline.project import ledger, locks, places
from pipeline.project.outcomes import BLOCKED, CANCELLED, FAILED, RAN, UNCHANGED, Result
from stages.common.params import read_yaml
from tests.common.conftest import wait_for
from tests.conftest import Project, drawn
from tests.pipeline import stub
from tests.pipeline.stub import below, set_params

ALL = list(stub.READS)
RUNGS = [name for name in ALL if "@" in name]


def table(text: str) -> dict[str, list[str]]:
    """The rows of the table at the end, by stage."""
    lines = text.splitlines()
    start = max(n for n, line in enumerate(lines) if line.startswith("stage  "))
    rows = [line.split(maxsplit=1) for line in lines[start + 1 :]]
    return {row[0]: row[1].split() for row in rows if row[0] in ALL}


def outcomes(text: str) -> dict[str, str]:
    return {stage: row[0] for stage, row in table(text).items()}


def expected(**named: list[str]) -> dict[str, str]:
    said = {name: outcome for outcome, names in named.items() for name in names}
    return {name: said.get(name, UNCHANGED) for name in ALL}


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.fixture
def background(marked):
    """Starts `wsss run` in a project."""
    started = []

    def start(project: Project, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pipeline.cli", "run", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        started.append(subprocess.Popen(command, cwd=project.root, env=marked.env, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


class Lines:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def line(self, stage, text):
        self.lines.append((stage, text))

    def progress(self, *_):
        pass

    def epoch(self, *_):
        pass


@pytest.fixture
def engine(project):
    return Run(project.root, "test", Lines())


def test_nothing_to_do(project):
    done = stub.wsss(project, "run")
    assert list(table(done.stdout)) == ALL and outcomes(done.stdout) == expected()
    assert done.stdout.splitlines()[-1].startswith("15 of 15 stages are up to date; ")
    assert stub.traced(project) == [] and ledger.read(project.root) == []


def test_two_at_a_time_are_as_one_after_another(project):
    """From nothing: the same dvc.lock, parsed, as of `dvc repro`; each stage after all that it reads from."""
    wanted = read_yaml(project.root / "dvc.lock")
    project.run("rm", "-r", "dvc.lock", "data", ".dvc/cache")
    done = stub.wsss(project, "run", "-j", "2")
    assert outcomes(done.stdout) == expected(ran=ALL) and list(table(done.stdout)) == ALL
    assert read_yaml(project.root / "dvc.lock") == wanted
    order = stub.traced(project)
    assert sorted(order) == sorted(set(ALL) - {"parameters"})
    for name in order:
        assert all(order.index(above) < order.index(name) for above in stub.ABOVE[name] - {"parameters"})


def test_independent_stages_run_at_the_same_time(project):
    """Each waits until it sees the other one at work."""
    set_params(project, "evaluation", value=1, meet=2)
    done = stub.wsss(project, "run", "evaluation@seeds", "evaluation@crf", "-j", "2")
    assert [table(done.stdout)[name][0] for name in ("evaluation@seeds", "evaluation@crf")] == [RAN, RAN]


def test_a_failed_branch_does_not_stop_the_others(project):
    set_params(project, "predictions", value=1, fail=True)
    set_params(project, "evaluation", value=1)
    done = stub.wsss(project, "run", "-j", "2", check=False)
    assert done.returncode == 1
    stopped = ["evaluation@predictions", "report"]
    ran = ["parameters", *RUNGS[:3]]
    assert outcomes(done.stdout) == expected(ran=ran, failed=["predictions"], blocked=stopped)
    rows = table(done.stdout)
    assert " ".join(rows["predictions"][3:]) == "CPU it was told to fail"
    assert [rows[name] for name in stopped] == [["blocked", "predictions", "failed"]] * 2  # not each other
    *_, log, last = done.stdout.splitlines()
    assert last.startswith("12 of 15 stages are up to date, 3 are not; ")
    assert log == "the output of predictions: .dvc/tmp/wsss/logs/predictions.log"
    assert "it was told to fail" in (project.root / log.partition(": ")[2]).read_text()


def test_blocked_from_the_start(project):
    (project.root / "given").touch()
    edit(
        project.root / "dvc.yaml",
        "- data/segmenter\n    - work.py",
        "- data/segmenter\n    - given\n    - work.py",
    )
    stub.wsss(project, "run")
    (project.root / "given").unlink()
    done = stub.wsss(project, "run", check=False)
    assert done.returncode == 1
    blocked = ["predictions", "evaluation@predictions", "report"]
    assert outcomes(done.stdout) == expected(blocked=blocked)
    for name in blocked:
        assert " ".join(table(done.stdout)[name]) == "blocked given is missing, and no stage makes it"


@pytest.mark.parametrize("number", drawn([signal.SIGINT, signal.SIGTERM], 1))
def test_a_cancel_ends_in_order(project, background, marked, number):
    set_params(project, "segmenter", value=1, seconds=600)
    process = background(project, "-j", "2")
    wait_for(lambda: (project.root / "trace").exists())
    process.send_signal(number)
    text = process.communicate(timeout=180)[0]
    assert process.returncode == 130 and marked.left(5) == {}
    assert outcomes(text) == expected(ran=["parameters"], cancelled=["segmenter"], blocked=below("segmenter"))
    assert table(text)["report"] == ["blocked", "segmenter", "cancelled"]


def test_a_second_ctrl_c_waits_for_nobody(project, background, marked):
    """The stage is deaf to SIGTERM; the supervisor would give it twenty seconds."""
    set_params(project, "segmenter", value=1, hang=True)
    process = background(project)
    wait_for(lambda: (project.root / "trace").exists())
    process.send_signal(signal.SIGINT)
    time.sleep(2 * recipe.ONE_WISH)
    process.send_signal(signal.SIGINT)
    text = process.communicate(timeout=180)[0]
    assert process.returncode == 130 and marked.left(5) == {}
    assert "cancelling: what runs has 20 s" in text and "ending what runs" in text
    assert outcomes(text)["segmenter"] == CANCELLED


READS_FOR_EVER = """
import os, signal, sys, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from pipeline.engine import recipe
from pipeline.memory import plan

def for_ever(*_, **__):
    os.kill(os.getpid(), {number})
    with ThreadPoolExecutor(1) as pool:  # as DVC hashes
        pool.submit(threading.Event().wait).result()

setattr(plan, "{slow}", for_ever)
raise SystemExit(recipe.main(Path("."), ["generate"], [], [], 1, False))
"""


@pytest.mark.parametrize(("slow", "number"), [("make", signal.SIGINT), ("one", signal.SIGTERM)])
def test_a_cancel_is_heard_while_it_plans_or_hashes(project, marked, slow, number):
    """In the plan of all, or in the last look at a stage."""
    set_params(project, "generate", value=1)
    code = READS_FOR_EVER.format(slow=slow, number=int(number))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.root,
        env=marked.env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 130, done.stderr
    assert "cancelled" in done.stdout and stub.traced(project) == []
    assert "reports/index.html" not in done.stdout


def test_no_page_after_a_cancel(project, monkeypatch):
    drawn = []
    monkeypatch.setattr(recipe, "_page", lambda *_: drawn.append(1))
    engine = recipe.Run
    monkeypatch.setattr(engine, "stopped", lambda self: True)
    monkeypatch.setattr(recipe, "_still_reading", lambda: False)  # or it ends this process
    assert recipe.main(project.root, ["parameters"], [], [], 1, False) == 130
    assert drawn == []


def test_two_signals_at_once_are_one_wish():
    """A terminal sends its own to all, and a wrapper sends another."""
    cancelled, hurried = threading.Event(), threading.Event()
    with recipe.interrupts(cancelled, hurried):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert cancelled.is_set() and not hurried.is_set()


def test_targets(project):
    project.change(segmenter__value=1, evaluation__value=1)
    done = stub.wsss(project, "run", "evaluation@crf", "segmenter")
    shown = list(table(done.stdout))
    assert shown == [*ALL[: ALL.index("segmenter") + 1], "evaluation@crf"]
    assert stub.traced(project) == ["segmenter", "evaluation@crf"]  # the others of them are not asked for


def test_from_leaves_alone_what_is_above(project):
    project.change(segmenter__value=1, predictions__value=1)
    done = stub.wsss(project, "run", "--from", "predictions")
    assert outcomes(done.stdout) == {
        "predictions": RAN,
        "evaluation@predictions": UNCHANGED,
        "report": UNCHANGED,
    }
    assert stub.traced(project) == ["predictions"]


def test_force(project):
    done = stub.wsss(project, "run", "evaluation", "--force", "evaluation@crf")
    assert stub.traced(project) == ["evaluation@crf"]
    assert table(done.stdout)["evaluation@crf"][0] == RAN
    assert "report" not in table(done.stdout)


def test_dry(project):
    project.change(segmenter__value=1)
    done = stub.wsss(project, "run", "--dry", "predictions", "--force", "predictions")
    rows = table(done.stdout)
    assert rows["segmenter"][:2] == ["will", "run"] and "evaluation@predictions" not in rows
    assert " ".join(rows["predictions"]) == "will run ? forced"
    assert stub.traced(project) == []


@pytest.mark.parametrize(
    ("targets", "start", "force", "message"),
    [
        (["seds"], [], [], "there is no stage 'seds'; there are parameters, generate, "),
        ([], ["seds"], [], "there is no stage 'seds'"),
        ([], [], ["seds"], "there is no stage 'seds'"),
        (["seeds"], [], ["report"], "report cannot be forced: not among the stages of this run"),
        (["seeds"], ["report"], [], "seeds does not need report: nothing to run"),
    ],
)
def test_what_cannot_be(project, targets, start, force, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        recipe.main(project.root, targets, start, force, 1, False)
    assert stub.traced(project) == []
    with locks.take(places.worktree_lock(project.root), "next", "it"):  # it is free
        pass


def test_one_message_for_what_cannot_be(project):
    done = stub.wsss(project, "run", "seds", check=False)
    assert done.returncode == 1 and done.stdout.count("\n") == 1
    assert done.stdout.startswith("error: there is no stage 'seds'; there are parameters, generate, ")


def test_a_cancel_says_how_long_it_can_take(project, engine, monkeypatch):
    def stage(name: str) -> Result:
        engine.cancelled.set()
        wait_for(lambda: ("", "cancelling: what runs has 20 s to save its work") in engine.listener.lines)
        return Result(name, CANCELLED)

    monkeypatch.setattr(engine, "stage", stage)
    project.change(report__value=1)
    told: list[Result] = []
    results = recipe.run(engine, engine.make_plan(), ["parameters", "report"], 1, told.append)
    assert [result.outcome for result in results.values()] == [CANCELLED, BLOCKED]
    assert told == [results["parameters"]]
    assert [text for _, text in engine.listener.lines[1:]] == ["Ctrl-C again ends it at once"]


def test_a_second_run_is_refused(project):
    with locks.take(places.worktree_lock(project.root), "nightly", "it"):
        done = stub.wsss(project, "run", check=False)
    assert done.returncode == 1
    assert done.stdout.startswith(f"error: this worktree is held by nightly (pid {os.getpid()} on ")


def test_dvc_yaml_edited_during_a_run(project, background):
    """The referee looks once more."""
    set_params(project, "predictions", value=1, meet=2)
    process = background(project)
    wait_for(lambda: (project.root / "here-predictions").exists())
    edit(project.root / "dvc.yaml", "cmd: python work.py generate", "cmd: python  work.py generate")
    (project.root / "here-it-is").touch()
    text = process.communicate(timeout=180)[0]
    assert process.returncode == 1
    ours = {"parameters": RAN, "predictions": RAN}  # whose output does not depend on it
    assert outcomes(text) == {**expected(failed=["generate"]), **ours}
    row = " ".join(table(text)["generate"])
    assert row == "failed not up to date after the run: the command changed"


def test_the_referee(project, engine):
    """What is called good must be so."""
    results = {name: Result(name, RAN) for name in ("seeds", "report")}
    results["affinity"] = Result("affinity", FAILED, "its own reason")
    assert recipe.referee(engine, results) == results
    project.change(seeds__value=1)
    edit(project.root / "dvc.yaml", "  report:\n", "  reports:\n")
    judged = recipe.referee(engine, results)
    assert {name: result.outcome for name, result in judged.items()} == dict.fromkeys(results, FAILED)
    before = "not up to date after the run: "
    assert judged["seeds"].why == f"{before}seeds.value: 0 -> 1"
    assert judged["report"].why == f"{before}it is gone from dvc.yaml"
    assert judged["affinity"].why == "its own reason"
    (project.root / "dvc.yaml").write_text("stages: {\n")
    assert recipe.referee(engine, results)["seeds"].why.startswith(f"{before}DVC: unable to read: 'dvc.yaml'")


def test_the_referee_does_not_look_where_nothing_was_done(engine, monkeypatch):
    monkeypatch.setattr(engine, "make_plan", lambda: pytest.fail("it looked"))
    results = {"seeds": Result("seeds", UNCHANGED), "report": Result("report", BLOCKED)}
    assert recipe.referee(engine, results) == results


def fake_gpus(project: Project, count: int) -> str:
    """A PATH with an nvidia-smi that shows so many."""
    program = project.root.parent / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n" + "".join(f"echo '{n}, GPU-{n}{n}'\n" for n in range(count)))
    program.chmod(0o755)
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def on_gpu(project, monkeypatch):
    """The rungs ask for a GPU each, and there is one; locks lie in a folder of this test."""
    for name in ("CUDA_VISIBLE_DEVICES", "WSSS_DEVICE", "WSSS_GPU_SHARE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", fake_gpus(project, 1))
    monkeypatch.setenv("WSSS_GPU_LOCKS", str(project.root.parent / "gpus"))
    params = "      params:\n      - evaluation\n"
    edit(project.root / "dvc.yaml", params, f"{params}      meta: {{gpu: 1}}\n")
    return project


TWO = ["evaluation@seeds", "evaluation@crf"]


def test_two_stages_never_share_a_gpu(on_gpu):
    set_params(on_gpu, "evaluation", value=1, alone=True)
    done = stub.wsss(on_gpu, "run", *TWO, "-j", "2")
    assert [table(done.stdout)[name][3:] for name in TWO] == [["GPU", "0"]] * 2
    assert table(done.stdout)["parameters"][3:] == ["CPU"]
    assert "waiting: GPU 0 is held by wsss-run-" in done.stdout


def test_two_stages_share_a_gpu_where_that_is_allowed(on_gpu):
    set_params(on_gpu, "evaluation", value=1, meet=2)
    done = stub.wsss(on_gpu, "run", *TWO, "-j", "2", WSSS_GPU_SHARE="2")
    assert [table(done.stdout)[name][3:] for name in TWO] == [["GPU", "0"]] * 2


def test_without_a_gpu_it_says_so(on_gpu):
    on_gpu.change(evaluation__value=1)
    done = stub.wsss(on_gpu, "run", "evaluation@crf", WSSS_DEVICE="cpu")
    assert table(done.stdout)["evaluation@crf"][3:] == ["CPU"]
    assert "no GPU on this machine: it runs on the CPU" in done.stdout
