"""The supervisor of a command: what it passes on, how it ends, and that nothing survives."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.engine import supervisor
from tests.common.conftest import Marked, wait_for

PYTHON = sys.executable
SLEEP = "import time; time.sleep(600)"
IGNORE = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {SLEEP}"
# As `dvc` does it: a stage below a process that is spared the SIGTERM.
STAGE = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', sys.argv[1]]).returncode)"


class Supervised:
    """A command below the supervisor."""

    def __init__(
        self,
        folder: Path,
        marked: Marked,
        *command: str,
        grace: float = 20,
        parent: int = 0,
        program: str = supervisor.__file__,
    ):
        self.log = folder / "log"
        arguments = [str(parent or os.getpid()), str(grace), str(self.log), *command]
        self.process = subprocess.Popen(
            [PYTHON, "-I", "-S", program, *arguments],
            env=marked.env,
            stdout=subprocess.PIPE,
        )

    def end(self, seconds: float = 30) -> tuple[bytes, dict[str, int]]:
        """What it put out before its last line, and that line's values."""
        output, _ = self.process.communicate(timeout=seconds)
        text, mark, values = output.rpartition(b"\n@exit ")
        assert mark
        told = json.loads(values)
        assert told["code"] == self.process.returncode
        return text, told


def run(folder: Path, marked: Marked, code: str) -> tuple[bytes, dict[str, int]]:
    return Supervised(folder, marked, PYTHON, "-c", code).end()


def test_output_is_passed_on_and_logged_as_it_is(tmp_path, marked):
    """Binary, a line of a megabyte, no newline at the end, both streams."""
    code = (
        "import os, sys; os.write(1, bytes(range(256))); os.write(2, b'to stderr\\n');"
        "os.write(1, b'x' * 1_000_000); os.write(1, b'the end')"
    )
    output, values = run(tmp_path, marked, code)
    assert output == bytes(range(256)) + b"to stderr\n" + b"x" * 1_000_000 + b"the end"
    assert (tmp_path / "log").read_bytes() == output
    assert values["code"] == 0


def test_lines_come_while_it_runs(tmp_path, marked):
    done = Supervised(tmp_path, marked, PYTHON, "-uc", f"print('early'); {SLEEP}")
    assert done.process.stdout.readline() == b"early\n"
    assert done.process.poll() is None and (tmp_path / "log").read_bytes() == b"early\n"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise SystemExit(0)", 0),
        ("raise SystemExit(7)", 7),
        ("import os; os.kill(os.getpid(), 9)", 128 + 9),
        ("import os; os.kill(os.getpid(), 15)", 128 + 15),
        ("import os; os.abort()", 128 + 6),
    ],
)
def test_exit_status(tmp_path, marked, code, status):
    assert run(tmp_path, marked, code)[1]["code"] == status


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [("nowhere", 127, b"No such file or directory"), ("plain", 126, b"Permission denied")],
)
def test_a_command_that_cannot_be_started(tmp_path, marked, name, status, words):
    (tmp_path / "plain").write_text("")
    output, values = Supervised(tmp_path, marked, str(tmp_path / name)).end()
    assert values["code"] == status
    assert output == b"error: cannot start %s: %s\n" % (os.fsencode(tmp_path / name), words)


def test_memory_is_that_of_the_largest_process(tmp_path, marked):
    """300 MB in a grandchild, against a bare interpreter."""
    grown = "b = bytearray(300_000_000); b[::4096] = b'x' * len(b[::4096])"
    large = Supervised(tmp_path, marked, PYTHON, "-c", STAGE, grown).end()[1]["memory"]
    small = run(tmp_path, marked, "")[1]["memory"]
    assert 300e6 < large < 400e6 and 2e6 < small < 50e6


GOODBYE = """
import signal, sys, time
def bye(*_): print("saved", flush=True); sys.exit(143)
signal.signal(signal.SIGTERM, bye); print("ready", flush=True); time.sleep(600)
"""


def test_sigterm_reaches_the_stage_and_not_dvc(tmp_path, marked):
    """The stage says goodbye, and what stands for `dvc` sees its exit status, as DVC does."""
    dvc = (
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('dvc was told', flush=True))\n"
        "print('exited with', subprocess.run([sys.executable, '-c', sys.argv[1]]).returncode, flush=True)\n"
        "sys.exit(5)"
    )
    done = Supervised(tmp_path, marked, PYTHON, "-c", dvc, GOODBYE)
    assert done.process.stdout.readline() == b"ready\n"
    done.process.send_signal(signal.SIGTERM)
    output, values = done.end()
    assert output == b"saved\nexited with 143\n" and values["code"] == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_the_signal_reaches_what_a_shell_started(tmp_path, marked, number):
    """`cmd: a | b` stays below a shell of dvc's, which passes no signal on."""
    (tmp_path / "stage.py").write_text(GOODBYE)
    dvc = "import subprocess, sys; sys.exit(subprocess.run(['sh', '-c', sys.argv[1]]).returncode % 256)"
    stage = f"true | {PYTHON} {tmp_path}/stage.py"
    done = Supervised(tmp_path, marked, PYTHON, "-c", dvc, stage)
    assert done.process.stdout.readline() == b"ready\n"
    done.process.send_signal(number)
    output, values = done.end(15)
    assert output == b"saved\n" and values["code"] == 256 - signal.SIGTERM  # the shell's: it was told too


def test_who_ignores_sigterm_is_killed_at_once_on_a_second_wish(tmp_path, marked):
    done = Supervised(tmp_path, marked, PYTHON, "-c", STAGE, IGNORE, grace=600)
    assert done.process.stdout.readline() == b"deaf\n"
    done.process.send_signal(signal.SIGTERM)
    done.process.send_signal(signal.SIGQUIT)
    assert done.end(60)[1]["code"] == 128 + signal.SIGKILL and marked.left(5) == {}


def test_who_ignores_sigterm_is_killed_after_the_grace(tmp_path, marked):
    done = Supervised(tmp_path, marked, PYTHON, "-c", STAGE, IGNORE, grace=2)
    assert done.process.stdout.readline() == b"deaf\n"
    start = time.monotonic()
    done.process.send_signal(signal.SIGTERM)
    assert done.end()[1]["code"] == 128 + 9
    assert 1.9 < time.monotonic() - start < 10
    assert not marked.alive()


# What a stage may have started: a child, one in a session of its own, one whose parent is gone (a daemon).
CHILDREN = f"""
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "{SLEEP} # child"])
subprocess.Popen([sys.executable, "-c", "{IGNORE} # session"], start_new_session=True)
subprocess.run([sys.executable, "-c", '''
import os, subprocess, sys
subprocess.Popen([sys.executable, "-c", "{SLEEP} # daemon"], start_new_session=True)
'''])
"""


def test_what_a_command_leaves_running_is_ended(tmp_path, marked):
    done = Supervised(tmp_path, marked, PYTHON, "-c", STAGE, CHILDREN, grace=1)
    assert done.end()[1]["code"] == 0  # the last word comes when all are gone
    assert not marked.alive()


PARENT = """
import subprocess, sys
supervisor = [sys.executable, "-I", "-S", sys.argv[1], str(__import__("os").getpid()), *sys.argv[2:]]
subprocess.run(supervisor, stdout=subprocess.DEVNULL)
"""


def with_a_parent(
    folder: Path, marked: Marked, stage: str, grace: float = 1, program: str = supervisor.__file__
) -> subprocess.Popen[bytes]:
    """The supervisor, below a process that can be killed without its knowledge."""
    arguments = [program, str(grace), str(folder / "log"), PYTHON, "-c", STAGE, stage]
    return subprocess.Popen([PYTHON, "-c", PARENT, *arguments], env=marked.env)


def of(marked: Marked, words: str) -> int:
    """The process with these words in its command line; its parents quote them, and were there before it."""
    return max(pid for pid, line in marked.alive().items() if words in line)


def test_all_end_when_the_parent_is_killed(tmp_path, marked):
    parent = with_a_parent(tmp_path, marked, CHILDREN + SLEEP)
    wait_for(lambda: len(marked.alive()) == 7)  # parent, supervisor, dvc, stage, and its three
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert not marked.left(10)


def test_a_supervisor_whose_parent_died_before_its_start_runs_nothing(tmp_path, marked):
    gone = subprocess.Popen(["true"])
    gone.wait()
    done = Supervised(tmp_path, marked, "touch", str(tmp_path / "ran"), parent=gone.pid)
    assert done.process.wait(10) == 1 and not (tmp_path / "ran").exists()


def test_when_the_supervisor_is_killed_dvc_dies_with_it(tmp_path, marked):
    """A stage of the recipe then ends by itself (tests/common/test_door.py); any other is a leftover."""
    done = Supervised(tmp_path, marked, PYTHON, "-c", STAGE, SLEEP + " # stage")
    wait_for(lambda: len(marked.alive()) == 3)
    done.process.send_signal(signal.SIGKILL)
    wait_for(lambda: len(marked.alive()) == 1)
    assert marked.alive()[of(marked, "# stage")].startswith(f"{PYTHON} -c import time")


def test_when_dvc_is_killed_the_stage_ends(tmp_path, marked):
    done = Supervised(tmp_path, marked, PYTHON, "-c", STAGE, SLEEP + " # stage")
    wait_for(lambda: len(marked.alive()) == 3)
    lines = marked.alive().items()
    dvc = next(pid for pid, line in lines if "import subprocess" in line and supervisor.__file__ not in line)
    os.kill(dvc, signal.SIGKILL)
    assert done.end(10)[1]["code"] == 128 + 9
    assert not marked.alive()


# The supervisor as on macOS: no /proc, no prctl, and so no orphans that come to it.
MAC = f"""
import importlib.util, sys
found = importlib.util.spec_from_file_location("supervisor", {supervisor.__file__!r})
supervisor = importlib.util.module_from_spec(found)
found.loader.exec_module(supervisor)
sys.platform, supervisor.PROC = "darwin", "/nowhere"
sys.exit(supervisor.main())
"""
with_ps = pytest.mark.skipif(shutil.which("ps") is None, reason="there is no ps")


@pytest.fixture
def mac(tmp_path: Path) -> str:
    (tmp_path / "mac.py").write_text(MAC)
    return str(tmp_path / "mac.py")


@with_ps
def test_without_proc_the_stage_is_told_and_dvc_is_not(tmp_path, marked, mac):
    done = Supervised(tmp_path, marked, PYTHON, "-c", STAGE, GOODBYE, grace=60, program=mac)
    assert done.process.stdout.readline() == b"ready\n"
    done.process.send_signal(signal.SIGTERM)
    output, values = done.end()
    assert output == b"saved\n" and values["code"] == 143  # as `dvc` saw the stage end


@with_ps
def test_without_proc_who_ignores_sigterm_is_killed_after_the_grace(tmp_path, marked, mac):
    done = Supervised(tmp_path, marked, PYTHON, "-c", STAGE, IGNORE, grace=1, program=mac)
    assert done.process.stdout.readline() == b"deaf\n"
    done.process.send_signal(signal.SIGTERM)
    assert done.end()[1]["code"] == 128 + 9
    assert not marked.left(5)


@with_ps
def test_without_proc_all_end_when_the_parent_is_killed(tmp_path, marked, mac):
    parent = with_a_parent(tmp_path, marked, IGNORE, program=mac)
    wait_for(lambda: len(marked.alive()) == 4)  # parent, supervisor, dvc, stage
    wait_for(lambda: b"deaf" in (tmp_path / "log").read_bytes())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert not marked.left(10)


@pytest.mark.skipif(sys.platform != "linux", reason="waitid leaves a zombie")
def test_who_asks_ps_does_not_collect_the_command(monkeypatch):
    """A Popen collects what objects that are gone have left, and with it the exit status of the command."""
    monkeypatch.setattr(supervisor.Supervisor, "__init__", lambda self: None)
    watcher, nowhere = supervisor.Supervisor(), os.open(os.devnull, os.O_WRONLY)
    pid = watcher._start([PYTHON, "-c", "import sys; sys.exit(3)"], nowhere)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    subprocess.run(["true"], check=True)
    assert os.waitpid(pid, os.WNOHANG) == (pid, 3 << 8)
    os.close(nowhere)


def test_processes_by_ps_as_macos_prints_them(tmp_path, monkeypatch):
    """Whole paths, with spaces; numbers in columns. `ps` is a child of who asks, and not told of."""
    rows = ["    1     0 /sbin/launchd", "   40     1 /Applications/A B/c d", "  412    40 -zsh", "7"]
    (tmp_path / "ps").write_text('#!/bin/sh\necho "$$ 40 ps"\n' + "".join(f"echo '{row}'\n" for row in rows))
    (tmp_path / "ps").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(supervisor, "PROC", str(tmp_path / "none"))
    assert supervisor.of_ps() == {1: ("launchd", 0), 40: ("c d", 1), 412: ("-zsh", 40)}
    assert supervisor.children(40) == [412] and supervisor.descendants(1) == [40, 412]
    assert supervisor.stat(40) == ("c d", 1) and supervisor.name(9) == ""
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    assert supervisor.of_ps() == {} and supervisor.children(40) == []


@with_ps
def test_ps_tells_what_proc_tells(monkeypatch):
    """Of the processes that are there before and after."""
    before = supervisor.parents()
    monkeypatch.setattr(supervisor, "PROC", "/nowhere")
    told = supervisor.parents()
    monkeypatch.undo()
    same = {pid for pid, parent in supervisor.parents().items() if before.get(pid) == parent}
    assert os.getpid() in same
    assert {pid: told.get(pid) for pid in same} == {pid: before[pid] for pid in same}


@pytest.mark.parametrize("platform, peak", [("linux", 3 * 1024), ("freebsd14", 3 * 1024), ("darwin", 3)])
def test_the_unit_of_a_peak_of_memory(monkeypatch, platform, peak):
    monkeypatch.setattr(sys, "platform", platform)
    usage = resource.struct_rusage([0.0, 0.0, 3] + [0] * 13)
    assert supervisor.peak(usage) == peak


def test_a_reader_that_is_gone_does_not_stop_it(tmp_path, marked):
    """The log has all of it."""
    code = "import sys\nfor i in range(50): print(i, 'x' * 9999, flush=True)\nopen(sys.argv[1], 'w')"
    done = Supervised(tmp_path, marked, PYTHON, "-c", code, str(tmp_path / "done")).process
    done.stdout.close()
    assert done.wait(20) == 0 and (tmp_path / "done").exists()
    assert [line.split()[0] for line in (tmp_path / "log").open()] == [str(i) for i in range(50)]


def test_without_a_log_it_runs_all_the_same(tmp_path, marked):
    (tmp_path / "log").mkdir()
    output, values = run(tmp_path, marked, "print('hello')")
    assert values["code"] == 0
    assert output.startswith(b"no log file: ") and output.endswith(b"hello\n")
