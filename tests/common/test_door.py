"""How a step ends: its exit status, and with the process that started it."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from stages.common import door

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("error", [ValueError("too many"), FileNotFoundError("a.png is missing")])
def test_a_user_error_is_one_line_and_status_2(error, monkeypatch, capsys):
    step(monkeypatch, error)
    with pytest.raises(SystemExit) as end:
        door.run("fake")
    assert end.value.code == door.USER_ERROR == 2
    assert capsys.readouterr().err == f"error: {error}\n"


def test_under_dvc_repro_a_user_error_says_how_the_last_outputs_come_back(monkeypatch, capsys, tmp_path):
    step(monkeypatch, ValueError("too many"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "fake")
    Path("dvc.lock").write_text("stages:\n  fake:\n    cmd: x\n")
    Path("dvc.yaml").write_text("stages:\n  fake: {cmd: x}\n")
    Path("params.yaml").write_text("{}\n")
    for progress, told in (("", True), ("lines", False)):  # lines: `wsss run`, which puts them back
        monkeypatch.setenv("WSSS_PROGRESS", progress)
        with pytest.raises(SystemExit):
            door.run("fake")
        err = capsys.readouterr().err
        assert ("`dvc checkout fake` brings them back" in err) == told
        assert err.endswith("error: too many\n")


def test_any_other_error_keeps_its_traceback(monkeypatch):
    step(monkeypatch, RuntimeError("out of memory"))
    with pytest.raises(RuntimeError, match="out of memory"):
        door.run("fake")


def test_the_line_of_a_step_that_ended_well_is_printed(monkeypatch, capsys):
    step(monkeypatch, None)
    door.run("fake")
    assert capsys.readouterr().out == "done\n"


def step(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> None:
    """A module stages.fake.__main__ whose main raises `error`."""

    def main() -> str:
        if error:
            raise error
        return "done"

    monkeypatch.setitem(sys.modules, "stages.fake.__main__", SimpleNamespace(main=main))


def test_statuses_of_a_real_step(tmp_path):
    command = [sys.executable, "-m", "stages.parameters"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        2,
        "error: params.yaml is missing: run from the project's root\n",
    )
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "data").write_text("a file where a folder should be")
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" in done.stderr


def test_a_step_ends_with_the_process_that_started_it(tmp_path, marked, wait_for):
    """A shell that starts a long step is killed: so is the step, at its work and in its imports."""
    text = (ROOT / "params.yaml").read_text()
    assert "train: 600 " in text
    (tmp_path / "params.yaml").write_text(text.replace("train: 600 ", "train: 600000 "))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)

    def importing() -> bool:
        return any("numpy" in Path(f"/proc/{pid}/maps").read_text() for pid in marked.alive())

    for ready in (importing, (tmp_path / "data/raw/.synthetic.partial").is_dir):
        shell = subprocess.Popen(
            ["sh", "-c", f"{sys.executable} -m stages.generate; true"],
            cwd=tmp_path, env=marked.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(ready)
        assert len(marked.alive()) == 2
        shell.send_signal(signal.SIGKILL)
        shell.wait()
        assert not marked.left(2)
        shutil.rmtree(tmp_path / "data", ignore_errors=True)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cat; ö 猫 \N{CAT FACE} [/b]", "cat; ö 猫 \N{CAT FACE} [/b]"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\x9b2J\x7f\r", "\\x9b2J\\x7f\\r"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_what_steers_a_terminal_is_shown_as_text(name, shown, monkeypatch, capsys):
    assert door.visible(name) == shown
    step(monkeypatch, ValueError(name))
    with pytest.raises(SystemExit):
        door.run("fake")
    assert capsys.readouterr().err == f"error: {shown}\n"
