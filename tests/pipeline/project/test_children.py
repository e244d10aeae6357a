"""Children that `wsss` starts: where they run, how they end, and that nothing is left of them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.engine import child
from pipeline.project import children
from tests.pipeline.stub import ROOT

CHILD = """\
import json, os, pathlib, shutil, signal, sys
asked = sys.argv[1:]
if asked[:1] == ["wait"]:
    print("ready", os.getpid(), flush=True)
    signal.pause()
told = [asked, os.getcwd(), shutil.which("python"), os.environ["X"]]
pathlib.Path("told.json").write_text(json.dumps(told))
sys.exit(7)
"""
STARTER = """\
import pathlib, sys
from pipeline.project import children
sys.exit(children.run(pathlib.Path(), "door", ["wait"]))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "door.py").write_text(CHILD)
    return tmp_path


def test_a_child_gets_its_place_its_arguments_and_this_interpreter_first(
    root: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", "/nowhere")
    assert children.run(root, "door", [Path("/a b"), "--c"], {"X": "y"}) == 7
    python = str(Path(sys.executable).parent / "python")
    assert (root / "told.json").read_text() == f'[["/a b", "--c"], "{root}", "{python}", "y"]'


@pytest.mark.parametrize(
    "platform, own, seen",
    [("linux", None, None), ("darwin", None, "spawn"), ("darwin", "forkserver", "forkserver")],
)
def test_workers_start_anew_on_macos(
    root: Path, monkeypatch: pytest.MonkeyPatch, platform: str, own: str | None, seen: str | None
):
    """In a child and in a stage; who names another way gets it."""
    (root / "door.py").write_text(
        "import os, pathlib; pathlib.Path('told').write_text(str(os.environ.get('WSSS_START_METHOD')))"
    )
    monkeypatch.delenv("WSSS_START_METHOD", raising=False)
    if own:
        monkeypatch.setenv("WSSS_START_METHOD", own)
    monkeypatch.setattr(sys, "platform", platform)
    assert children.run(root, "door") == 0
    assert (root / "told").read_text() == str(seen)
    assert child.environment([]).get("WSSS_START_METHOD") == seen


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGHUP, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_both(root: Path, number: signal.Signals, code: int):
    """SIGINT as a terminal sends it: to the whole group."""
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER], cwd=root, env={**os.environ, "PYTHONPATH": ROOT},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    assert starter.stdout is not None
    child = int(starter.stdout.readline().split()[1])
    os.killpg(starter.pid, number) if number == signal.SIGINT else os.kill(starter.pid, number)
    assert starter.wait(30) == code
    assert starter.stdout.read() == ""  # the child held the pipe, too: it is gone
    assert not Path(f"/proc/{child}").exists()
