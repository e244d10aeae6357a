"""A result is remembered only under the inputs that it was made from."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.engine.stage import Run
from pipeline.memory import attribution, lockfile, plan, runcache
from pipeline.memory.graph import open_repo
from pipeline.project import ledger
from pipeline.project.outcomes import FAILED, RAN, RESTORED, UNCHANGED, Result
from tests.common.conftest import wait_for
from tests.conftest import Project, new_repository
from tests.pipeline.engine.test_stage import Recorder

pytestmark = pytest.mark.usefixtures("warmed")

WORK = """\
import os, pathlib, re, time
factor = 1
value = int(re.search(r"value: (\\d+)", pathlib.Path("params.yaml").read_text())[1])
data = len(list(pathlib.Path("data").iterdir()))
pathlib.Path("started").touch()
until = time.monotonic() + 30
while os.path.exists("wait") and time.monotonic() < until:
    time.sleep(0.02)
pathlib.Path("out").write_text(f"{factor * value} of {data}")
"""
PARAMS = "train: {value: 1}\nother: 1\n"


class Held:
    """One stage, not of our door, that waits while a file `wait` lies there; and a run of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "data").mkdir(parents=True)
        (root / "data/a").write_text("a")
        (root / "work.py").write_text(WORK)
        (root / "params.yaml").write_text(PARAMS)
        stage = {"cmd": "python work.py", "deps": ["data", "work.py"], "params": ["train"], "outs": ["out"]}
        YAML().dump({"stages": {"work": stage}}, root / "dvc.yaml")
        new_repository(root, git=False)
        self.listener = Recorder()

    def stage(self) -> Result:
        with Run(self.root, "test", self.listener, grace=2).open() as run:
            return run.stage("work")

    def begin(self) -> tuple[threading.Thread, list[Result]]:
        (self.root / "wait").touch()
        (self.root / "started").unlink(missing_ok=True)
        results: list[Result] = []
        thread = threading.Thread(target=lambda: results.append(self.stage()))
        thread.start()
        wait_for((self.root / "started").exists)
        return thread, results

    def end(self, begun: tuple[threading.Thread, list[Result]]) -> Result:
        (self.root / "wait").unlink()
        begun[0].join(60)
        return begun[1][0]

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        (self.root / path).write_text(text.replace(old, new))

    @property
    def out(self) -> str:
        return (self.root / "out").read_text()

    def remembered(self) -> int:
        """The entries of the run cache."""
        return len([file for file in (self.root / ".dvc/cache/runs").glob("*/*/*") if file.is_file()])


@pytest.fixture
def held(tmp_path: Path) -> Held:
    return Held(tmp_path / "project")


def test_a_parameter(held):
    """Nothing of it is left, the copy of dvc.lock and the run cache included; the next run computes."""
    begun = held.begin()
    held.edit("params.yaml", "value: 1", "value: 2")
    done = held.end(begun)
    why = "train.value: 1 -> 2 changed while it ran: its result is not kept; run again"
    assert (done.outcome, done.why) == (FAILED, why)
    assert lockfile.stages(held.root) == {} and held.remembered() == 0
    assert lockfile.entries(lockfile.backup_path(held.root).read_text()) == {}
    assert held.stage().outcome == RAN and held.out == "2 of 1"
    held.edit("params.yaml", "value: 2", "value: 1")
    assert held.stage().outcome == RAN and held.out == "1 of 1"


def test_the_entry_before_comes_back(held):
    """And with it the right result, where the edit went back to that one's inputs."""
    assert held.stage().outcome == RAN
    before = lockfile.stages(held.root)
    held.edit("params.yaml", "value: 1", "value: 3")
    begun = held.begin()
    held.edit("params.yaml", "value: 3", "value: 1")
    assert held.end(begun).outcome == FAILED and held.out == "3 of 1"
    assert lockfile.stages(held.root) == before and held.remembered() == 1
    assert held.stage().outcome == RESTORED and held.out == "1 of 1"


def test_code_and_data(held):
    begun = held.begin()
    held.edit("work.py", "factor = 1", "factor = 5")
    (held.root / "data/b").write_text("b")
    done = held.end(begun)
    assert done.outcome == FAILED and done.why.startswith("data/b, work.py changed while it ran")
    assert held.remembered() == 0
    assert held.stage().outcome == RAN and held.out == "5 of 2"


def test_an_edit_that_is_undone_before_the_end(held):
    begun = held.begin()
    held.edit("work.py", "factor = 1", "factor = 5")
    mark = attribution._mark(held.root, "work")
    wait_for(lambda: "work.py" in YAML(typ="safe").load(mark)["changes"])
    held.edit("work.py", "factor = 5", "factor = 1")
    assert held.end(begun).why.startswith("work.py changed while it ran")
    assert held.remembered() == 0 and not mark.exists()


def test_a_dependency_that_is_new_in_dvc_yaml_has_not_changed(held):
    """DVC takes it for one of its old kind of hash until the stage has run."""
    assert held.stage().outcome == RAN
    (held.root / "more.py").write_text("pass\n")
    text = (held.root / "dvc.yaml").read_text()
    (held.root / "dvc.yaml").write_text(text.replace("    - work.py\n", "    - work.py\n    - more.py\n"))
    assert "more.py" in (held.root / "dvc.yaml").read_text()
    key = plan.one(held.root, "work").row.key
    assert held.stage().outcome == RAN
    assert held.stage().outcome == UNCHANGED
    assert (held.root / ".dvc/cache/runs" / key[:2] / key).is_dir()  # where the plan looks, DVC has put it


def test_a_forgotten_result_leaves_nothing_that_dvc_fails_on(held):
    assert held.stage().outcome == RAN
    entry = lockfile.stages(held.root)["work"]
    with open_repo(held.root) as repo:
        runcache.forget(repo, entry)
    assert not list((held.root / ".dvc/cache/runs").glob("*/*"))
    lockfile.put(held.root, "work", None)
    Project(held.root).run("dvc", "repro")


def test_what_is_no_change(held):
    """A new date, a parameter that the stage does not read, and what it writes itself."""
    begun = held.begin()
    (held.root / "work.py").touch()
    held.edit("params.yaml", "other: 1", "other: 2")
    assert held.end(begun).outcome == RAN
    assert held.stage().outcome == UNCHANGED


def test_killed_after_dvc_has_remembered(held, marked):
    """The mark of the killed run says what it was made from; another's result of that time stays."""
    code = (
        "import pathlib, sys\nfrom pipeline.engine import stage, terminal\n"
        "from pipeline.memory import attribution\n"
        "attribution.Watched.end = lambda *_: __import__('os').kill(__import__('os').getpid(), 9)\n"
        "attribution.Watched.look = lambda self: None\n"
        "with terminal.Terminal() as t, stage.Run(pathlib.Path(sys.argv[1]), 'killed', t).open() as r:\n"
        "    r.stage('work')"
    )
    (held.root / "wait").touch()
    killed = subprocess.Popen([sys.executable, "-c", code, held.root], env=marked.env)
    wait_for((held.root / "started").exists)
    held.edit("params.yaml", "value: 1", "value: 2")
    (held.root / "wait").unlink()
    assert killed.wait(60) == -signal.SIGKILL
    poisoned = lockfile.stages(held.root)["work"]
    assert poisoned["params"] == {"params.yaml": {"train": {"value": 2}}} and held.remembered() == 1
    assert plan.make(held.root).rows["work"].state == "may run"  # "unchanged" by dvc.lock
    assert held.stage().outcome == RAN and held.out == "2 of 1"
    assert "train.value: 1 -> 2 changed while a killed run was at work" in held.listener.lines[0]
    assert lockfile.stages(held.root)["work"]["outs"] != poisoned["outs"]
    assert held.remembered() == 1 and os.listdir(attribution._marks(held.root)) == []


def test_a_stage_of_ours_under_plain_dvc(held):
    """The door itself refuses at the end, so that DVC has nothing to remember."""
    step = held.root / "stages_step.py"
    step.write_text(
        "import sys, types, runpy\nfrom stages.common import door\n"
        "module = types.ModuleType('stages.fake.__main__')\n"
        "module.main = lambda: runpy.run_path('work.py') and 'done'\n"
        "sys.modules['stages.fake.__main__'] = module\ndoor.run('fake')\n"
    )
    held.edit("dvc.yaml", "python work.py", "python stages_step.py")
    (held.root / "wait").touch()
    root = str(Path(__file__).resolve().parents[3])
    command = [sys.executable, "-m", "dvc", "repro"]
    environment = {**os.environ, "PYTHONPATH": root}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    going = subprocess.Popen(
        command, cwd=held.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wait_for((held.root / "started").exists)
    held.edit("params.yaml", "value: 1", "value: 2")
    (held.root / "wait").unlink()
    said = going.communicate()[0]
    assert going.returncode and "error: train.value: 1 -> 2 changed while it ran" in said
    assert lockfile.stages(held.root) == {} and held.remembered() == 0


def test_what_others_made_meanwhile_is_not_forgotten(held):
    """Another worktree over the cache has run the same stage with other parameters."""
    assert held.stage().outcome == RAN
    left = {
        "stage": "work", "run": "killed", "began": 0.0, "alive": time.time(),
        "before": None, "changes": ["x"], "inputs": lockfile.inputs(lockfile.stages(held.root)["work"]),
    }  # fmt: skip
    lock = held.root / "dvc.lock"
    text = lock.read_text()
    lock.unlink()
    assert attribution._forget_all(held.root, left, left["alive"]) == "" and held.remembered() == 1
    lock.write_text(text)
    later = {**left, "run": "test", "alive": time.time() - 2 * attribution.LAST_WORDS}  # by `dvc repro`, say
    assert attribution._forget_all(held.root, later, later["alive"]) == "" and held.remembered() == 1
    lock.unlink()
    assert (
        attribution._forget_all(held.root, {**left, "run": "test"}, time.time()) == "x"
        and held.remembered() == 0
    )
    with open_repo(held.root) as repo:
        assert list(runcache.written(repo, 0)) == []


def test_another_clone_s_result_in_a_shared_cache_is_not_forgotten(held):
    """No ledger here tells of it: it is of other parameters than those that the run saw change."""
    assert held.stage().outcome == RAN
    inputs = lockfile.inputs(lockfile.stages(held.root)["work"])
    (held.root / "dvc.lock").unlink()
    ledger.path(held.root).unlink()
    mine = {**inputs, "params": {"params.yaml": {"train": {"value": 5}}}}
    left = {"stage": "work", "run": "x", "began": 0.0, "alive": time.time(), "before": None, "inputs": mine}
    late = time.time() + 3 * attribution.BEAT  # the run saw what happened until then
    for changes in ([], ["data/a"]):
        assert attribution._forget_all(held.root, {**left, "changes": changes}, late) == ""
        assert held.remembered() == 1
    seen = {**left, "changes": ["train.value: 5 -> 1"]}
    assert attribution._forget_all(held.root, seen, late) == "train.value: 5 -> 1"
    assert held.remembered() == 0


@pytest.mark.parametrize("text", [None, 3, "then", "2026-01-01T00:00:00+0000"])
def test_a_line_of_the_ledger_without_a_time_is_old(text):
    assert (attribution._time(text) > 0) == (text is not None and str(text).startswith("2026"))
