"""One stage as one child: its outcome by DVC's own words, its reasons, retries, deadline, and its end."""

import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.engine import leftovers, output
from pipeline.engine import stage as running
from pipeline.engine.stage import Run
from pipeline.memory.graph import Meta, Stage
from pipeline.project import children, gpus, ledger, locks, places
from pipeline.project.outcomes import CANCELLED, FAILED, RAN, RESTORED, TIMEOUT, UNCHANGED, Result
from tests.common.conftest import wait_for
from tests.conftest import Project, new_repository

WRITE = "open('out', 'w').write(open('given').read())"


class Recorder:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.told: list[tuple[object, ...]] = []

    def line(self, stage, text):
        self.lines.append(text)

    def progress(self, stage, what, done, total):
        self.told.append(("progress", what, done, total))

    def epoch(self, stage, values):
        self.told.append(("epoch", values))


class Small:
    """A project of one stage `work`, which runs Python code, and a run of it."""

    def __init__(self, root: Path, code: str, **meta: object) -> None:
        self.root = root
        root.mkdir()
        (root / "work.py").write_text(code)
        (root / "given").write_text("1")
        entry = {"cmd": "python work.py", "deps": ["given", "work.py"], "outs": ["out"], "meta": meta}
        YAML().dump({"stages": {"work": entry}}, root / "dvc.yaml")
        self.project = Project(root)
        new_repository(root, git=False)
        self.listener = Recorder()
        self.run = Run(root, "test", self.listener, grace=2)

    def stage(self) -> Result:
        with self.run.open():
            return self.run.stage("work")

    def in_the_background(self) -> tuple[threading.Thread, list[Result]]:
        results: list[Result] = []
        thread = threading.Thread(target=lambda: results.append(self.stage()))
        thread.start()
        return thread, results

    def says(self, text: str) -> bool:
        return any(text in line for line in self.listener.lines)


@pytest.fixture
def small(tmp_path, monkeypatch, marked):
    """Makes a Small; its processes are known by the mark of `marked`."""
    monkeypatch.setenv("WSSS_TEST_MARK", marked.mark)
    return lambda code, **meta: Small(tmp_path / "project", code, **meta)


def test_ran_unchanged_restored(small):
    """Each by the words of the DVC that constraints.txt pins, and by what the run makes of them."""
    project = small(f"print('at work'); {WRITE}")
    done = project.stage()
    assert (done.outcome, done.device, done.why) == (RAN, "CPU", "") and done.good
    assert 10e6 < done.memory < 1e9 and 0.2 < done.seconds < 60
    entry = ledger.read(project.root)[0]
    wanted = {"stage": "work", "outcome": RAN, "device": "CPU", "run": "test", "memory": done.memory}
    assert wanted.items() <= entry.items() and entry["seconds"] == round(done.seconds, 3)
    log = places.log(project.root, "work").read_text().splitlines()
    assert log[:3] == ["Running stage 'work':", "> python work.py", "at work"]
    assert project.listener.lines[:3] == log[:3] and not project.says("To track the changes")

    assert project.stage().outcome == UNCHANGED
    assert len(ledger.read(project.root)) == 1  # nothing was done

    (project.root / "out").unlink()
    done = project.stage()
    assert (done.outcome, done.device) == (RESTORED, "")
    assert (project.root / "out").read_text() == "1"

    (project.root / "given").write_text("2")
    assert project.stage().outcome == RAN and (project.root / "out").read_text() == "2"


def test_words_of_dvc(small):
    """What the plan spares us to ask DVC for, it says too."""
    project = small(WRITE)
    said = {}
    for case in ("ran", "unchanged", "restored"):
        reader = output.Reader("work", Recorder())
        reader.feed(project.project.run("dvc", "repro", "--single-item", "work").stdout.encode())
        said[case] = reader.outcome
        if case == "unchanged":
            (project.root / "out").unlink()
    assert said == {"ran": RAN, "unchanged": UNCHANGED, "restored": RESTORED}


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import sys; print('x'); sys.exit('error: too many cooks')", "too many cooks"),
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        ("import os; os.kill(os.getpid(), 9)", "its process was ended by SIGKILL"),
        ("import sys; sys.exit(128 + 15)", "its process was ended by SIGTERM"),
        ("import sys; sys.exit(3)", "exit status 3"),
        ("print('a worker exited with 2'); raise SystemExit(1)", "a worker exited with 2"),
        ("pass", "dvc: output 'out' does not exist"),
    ],
)
def test_failed_and_why(small, code, why):
    project = small(code)
    done = project.stage()
    assert (done.outcome, done.why, done.good) == (FAILED, why, False)
    assert ledger.read(project.root)[0]["outcome"] == FAILED


@pytest.mark.parametrize(("status", "tries"), [(1, 3), (2, 1), (-9, 3)])
def test_what_a_retry_cannot_mend_is_not_tried_again(small, status, tries):
    """Status 2 is the door's: a parameter or a file is wrong."""
    end = f"sys.exit({status})" if status > 0 else f"os.kill(os.getpid(), {-status})"
    project = small(f"import os, sys; open('tries', 'a').write('x'); {end}", retries=2)
    assert project.stage().outcome == FAILED
    assert (project.root / "tries").read_text() == "x" * tries


def test_a_retry_that_helps(small):
    """As a training does that goes on from its checkpoint."""
    code = (
        f"import os, sys\nif not os.path.exists('half'): open('half', 'w'); sys.exit('error: half')\n{WRITE}"
    )
    project = small(code, retries=1)
    assert project.stage().outcome == RAN
    assert project.says("half; trying again (1 of 1)")


def test_deadline(small, marked):
    """It ignores SIGTERM, and has a child in a session of its own: all is gone after timeout and grace."""
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "open('tries', 'a').write('x'); time.sleep(600)"
    )
    project = small(code, timeout="3s")
    project.run.grace = 1
    start = time.monotonic()
    done = project.stage()
    assert (done.outcome, done.why) == (TIMEOUT, "longer than 3 s (meta.timeout)")
    assert (project.root / "tries").read_text() == "x"
    assert 3 + 1 < time.monotonic() - start < 30
    assert list(marked.alive().values()) == []


def test_after_its_deadline_a_stage_is_tried_again():
    """A training goes on from its checkpoint; one that ended well just before is not judged by the clock."""
    meta = Meta(timeout=60)
    work = Stage("work", "", (), (), (), (), meta, False)
    late, _ = fed(b'@exit {"code": 255, "memory": 1}\n')
    assert output.judge(work, late, "CPU", timed_out=True, cancelled=False) == (
        Result("work", TIMEOUT, "longer than 60 s (meta.timeout)", device="CPU", memory=1), True,
    )  # fmt: skip
    good, _ = fed(b'Running stage \'work\':\n@exit {"code": 0, "memory": 1}\n')
    assert output.judge(work, good, "CPU", timed_out=True, cancelled=True) == (
        Result("work", RAN, device="CPU", memory=1), False,
    )  # fmt: skip


def test_cancel(small, marked):
    """The stage is told, and has its grace; it is not tried again."""
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (open('saved', 'w'), sys.exit(143)))\n"
        "print('ready', flush=True); time.sleep(600)"
    )
    project = small(code, retries=3)
    thread, results = project.in_the_background()
    wait_for(lambda: project.says("ready"))
    project.run.cancelled.set()
    thread.join(20)
    assert [result.outcome for result in results] == [CANCELLED]
    assert (project.root / "saved").exists() and not marked.alive()


def test_waits_for_another_dvc(small):
    """A plain `dvc repro` has the files: the run names it, waits, and takes over what it did."""
    project = small(f"import os, time\nwhile not os.path.exists('go'): time.sleep(0.02)\n{WRITE}")
    with subprocess.Popen([sys.executable, "-m", "dvc", "repro", "-q"], cwd=project.root) as other:
        rwlock = project.root / ".dvc/tmp/rwlock"
        wait_for(lambda: rwlock.exists() and f'"pid": {other.pid}' in rwlock.read_text())
        thread, results = project.in_the_background()
        wait_for(lambda: project.says(f"waiting: its files are held by (PID {other.pid}): "))
        (project.root / "go").touch()
        assert other.wait(20) == 0
    thread.join(20)
    assert [result.outcome for result in results] == [UNCHANGED]
    assert sum("waiting: its files" in line for line in project.listener.lines) == 1  # said once


def test_lines_for_programs_and_progress_bars(small):
    code = (
        'print(\'@progress {"what": "seeds", "unit": "steps", "done": 3, "total": 9}\')\n'
        'print(\'@epoch {"step": "work", "epoch": 2, "loss": 0.5}\')\n'
        "print('\\r10 %\\r50 %\\r100 %')\n"
        f"{WRITE}"
    )
    project = small(code)
    project.stage()
    assert project.listener.told == [
        ("progress", "steps", 3, 9),
        ("epoch", {"step": "work", "epoch": 2, "loss": 0.5}),
    ]
    assert "100 %" in project.listener.lines and not project.says("50 %")


def fed(*chunks: bytes) -> tuple[output.Reader, Recorder]:
    listener = Recorder()
    reader = output.Reader("work", listener)
    for chunk in chunks:
        reader.feed(chunk)
    reader.close()
    return reader, listener


def test_lines_however_they_are_cut():
    text = "one\nzwölf\r\n\nbar 1\rbar 2\r\nlast, without an end".encode()
    wanted = ["one", "zwölf", "bar 2", "last, without an end"]
    assert fed(text)[1].lines == wanted
    assert fed(*(text[i : i + 1] for i in range(len(text))))[1].lines == wanted


def test_long_lines_and_bars_without_an_end():
    """A line is cut at 2000 characters; of a bar that never ends a line only its end is kept."""
    assert fed(b"x" * 5000 + b"\nnext\n")[1].lines == ["x" * 2000 + " ...", "next"]
    bars = [b"\r%4d of 5000 [%s]" % (i, b"#" * 60) for i in range(5000)]
    listener = fed(*bars[:-1])[1]
    assert len(listener.lines) == 1 and listener.lines[0].startswith("4998 of 5000")
    assert len(fed(*[b"\xff\x00" * 3000] * 10)[1].lines) <= 10  # rubbish does no harm


@pytest.mark.parametrize(
    "text",
    [
        "@progress nonsense", '@progress {"what": "x"}', '@progress ["x", 1, 2]', "@exit {}", "@exit 3",
        '@exit {"code": "many", "memory": 1}', '@epoch ["x"]', "@epoch",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_line_for_programs(text):
    reader, listener = fed(text.encode() + b"\n")
    assert listener.lines == [text] and not listener.told and reader.code == output.KILLED


def test_environment(small, monkeypatch):
    code = (
        "import json, os, shutil\n"
        "names = ['CUDA_VISIBLE_DEVICES', 'WSSS_PROGRESS', 'DVC_STAGE']\n"
        "json.dump([shutil.which('python'), *(os.environ.get(n) for n in names)], open('out', 'w'))"
    )
    project = small(code, gpu=1)
    monkeypatch.setattr(gpus, "devices", lambda: ["4", "6"])
    monkeypatch.setattr(gpus, "place", lambda name, slot: project.root / f"{name}-{slot}.lock")
    monkeypatch.setenv("PATH", os.defpath)  # no python of this environment
    held = locks.take(project.root / "4-0.lock", "another", "GPU 4")
    done = project.stage()
    held.release()
    assert (done.outcome, done.device) == (RAN, "GPU 6")
    python, device, lines, stage = json.loads((project.root / "out").read_text())
    assert Path(python).parent == Path(sys.executable).parent
    assert (device, lines, stage) == ("6", "lines", "work")
    assert not locks.is_held(project.root / "6-0.lock")


@pytest.mark.parametrize(
    ("name", "own", "seen"),
    [
        ("OMP_WAIT_POLICY", None, "PASSIVE"),
        ("OMP_WAIT_POLICY", "ACTIVE", "ACTIVE"),
        ("MALLOC_TRIM_THRESHOLD_", "9", "9"),
    ],
)
def test_what_is_set_for_speed_unless_told_otherwise(small, monkeypatch, name, own, seen):
    """Threads that wait sleep; another way with memory may be asked for."""
    if own is None:
        monkeypatch.delenv(name, raising=False)
    else:
        monkeypatch.setenv(name, own)
    project = small(f"import os; open('out', 'w').write(os.environ['{name}'])")
    assert project.stage().outcome == RAN
    assert (project.root / "out").read_text() == seen


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc's allocator")
@pytest.mark.parametrize("own", [None, "65536"])
def test_what_a_stage_frees_is_there_for_what_it_asks_next(small, monkeypatch, own):
    """In a process of the stage's own, too: no page is to be cleared, unless mapping is asked for."""
    for name in children.defaults():
        monkeypatch.delenv(name, raising=False)
    if own:
        monkeypatch.setenv("MALLOC_MMAP_MAX_", own)
    inner = (
        "import resource, numpy\n"
        "def step():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    kept = [numpy.ones(8 << 20) for _ in range(2)]\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "open('out', 'w').write(str(min(step() for _ in range(6))))\n"
    )
    project = small(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)")
    assert project.stage().outcome == RAN
    assert (int((project.root / "out").read_text()) < 100) == (own is None)


def test_a_listener_that_fails_leaves_nothing_running(small, marked):
    """As a terminal that is closed."""
    project = small("import time; print('ready', flush=True); time.sleep(600)")

    def broken(stage: str, text: str) -> None:
        if text == "ready":
            raise BrokenPipeError("the terminal is gone")

    project.listener.line = broken
    done = project.stage()
    assert done.outcome == FAILED and "the terminal is gone" in done.why
    assert not marked.alive()


def test_a_supervisor_that_is_killed(small, marked):
    """What it looked after is ended before the next try."""
    code = (
        "import os, time\nopen('tries', 'a').write('x')\n"
        f"if len(open('tries').read()) == 1: open('stage', 'w').write('ready'); time.sleep(600)\n{WRITE}"
    )
    project = small(code, retries=1)
    thread, results = project.in_the_background()
    stage = project.root / "stage"
    wait_for(lambda: stage.exists() and stage.read_text())
    supervisor = next(pid for pid, line in marked.alive().items() if "supervisor.py" in line)
    os.kill(supervisor, signal.SIGKILL)
    thread.join(30)
    assert [result.outcome for result in results] == [RAN]
    assert project.says("dvc or its supervisor was killed; trying again")
    assert not marked.alive()


def test_the_worktree_is_one_runs(small):
    project = small(WRITE)
    with project.run.open():
        other = Run(project.root, "other", Recorder())
        with pytest.raises(locks.HeldError, match=rf"this worktree is held by test \(pid {os.getpid()} on "):
            other.open().__enter__()
    with other.open():
        pass


def test_a_killed_run_is_waited_for(small, marked):
    """Its supervisor still holds the worktree, until the stage has ended."""
    project = small("import time; print('ready', flush=True); time.sleep(600)")
    code = (
        "import pathlib, sys\nfrom pipeline.engine import stage, terminal\n"
        "with terminal.Terminal() as t, stage.Run(pathlib.Path(sys.argv[1]), 'killed', t).open() as r:\n"
        "    r.stage('work')"
    )
    killed = subprocess.Popen(
        [sys.executable, "-c", code, project.root], env=marked.env, stdout=subprocess.PIPE
    )
    while b"ready" not in killed.stdout.readline():
        pass
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    (project.root / "work.py").write_text(WRITE)
    assert project.stage().outcome == RAN
    assert not marked.alive()


def test_what_a_killed_run_left_is_ended_first(small, marked):
    """A process that lost its supervisor, with that run's mark; one of another worktree is none of ours."""
    project = small(WRITE)
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    ours, other = (
        subprocess.Popen(sleep, env=marked.env | leftovers.marks(root, "x"))
        for root in (project.root, project.root.parent)
    )
    wait_for(lambda: len(marked.alive()) == 2)
    with project.run.open():
        assert project.says(f"ended what a killed run had left: {ours.pid} {sys.executable} -c import time")
    assert ours.wait(1) == -signal.SIGTERM and other.poll() is None
    other.kill()
    other.wait()


def test_what_nobody_has_foreseen_is_in_the_result(small, monkeypatch):
    project = small(WRITE)
    monkeypatch.setattr(running.plan, "one", lambda *_: {}["missing"])
    assert project.stage() == Result("work", FAILED, "KeyError: 'missing'", pytest.approx(0, abs=5))


@pytest.mark.parametrize("where", ["file", "folder", "list of a folder"])
def test_a_damaged_object_is_not_restored(small, where):
    """DVC trusts what is read-only in its cache, and would bring the damage back as the right thing."""
    write = "import os; os.makedirs('out'); open('out/a', 'w').write('right')" if "folder" in where else WRITE
    project = small(write)
    assert project.stage().outcome == RAN
    objects = [path for path in (project.root / ".dvc/cache/files/md5").rglob("*") if path.is_file()]
    wanted = [path for path in objects if (path.suffix == ".dir") == where.startswith("list")]
    assert len(wanted) == 1
    text = wanted[0].read_bytes()
    with wanted[0].open("r+b") as file:  # as a disk does it: it stays read-only
        place = text.find(b'"a"') + 1  # the first byte; in a list a file's name, so that it still is one
        file.seek(place)
        file.write(bytes([text[place] ^ 1]))
    project.project.run("rm", "-r", "out")
    done = project.stage()
    assert done.outcome == RAN
    name = "out/a" if where == "folder" else "out"
    assert project.says(f"the cache's copy of {name} was damaged: {wanted[0]} is removed")
    assert wanted[0].read_bytes() == text
    assert (project.root / "out/a" if "folder" in where else project.root / "out").read_text() in (
        "1",
        "right",
    )


@pytest.mark.parametrize("edited", [False, True])
def test_a_damaged_list_of_a_folder_is_written_anew(small, edited):
    """DVC computes the output again, but leaves the list as it is, since it is read-only."""
    project = small("import os; os.makedirs('out'); open('out/a', 'w').write('right')")
    assert project.stage().outcome == RAN
    (place,) = (project.root / ".dvc/cache/files/md5").glob("*/*.dir")
    text = place.read_bytes()
    place.chmod(0o644)
    place.write_bytes(text[:20])
    place.chmod(0o444)
    if edited:
        (project.root / "out/a").write_text("by hand")
    assert project.run.make_plan().rows["work"].state == "will run"
    assert project.stage().outcome == RAN
    assert project.says(f"the cache's copy of out was damaged: {place} is removed")
    assert place.read_bytes() == text and (project.root / "out/a").read_text() == "right"
    assert project.run.make_plan().rows["work"].state == "unchanged"


@pytest.mark.parametrize("half", [None, "cmd: python work.py\n"])
def test_what_a_kill_left_in_the_run_cache(small, half):
    """A folder without an entry, or half of one: DVC would fail on it, now and for ever."""
    project = small(WRITE)
    assert project.stage().outcome == RAN
    entry = next((project.root / ".dvc/cache/runs").glob("*/*/*"))
    entry.unlink() if half is None else entry.write_text(half)
    (project.root / "dvc.lock").unlink()
    words = project.project.run("dvc", "repro", "--single-item", "work", check=False).stdout
    assert "ERROR: failed to reproduce 'work': " in words  # the day DVC mends it, this can go
    assert project.stage().outcome == RAN
    assert "\nouts:\n" in next((project.root / ".dvc/cache/runs").glob("*/*/*")).read_text()


def test_files_of_a_folder_that_were_edited_are_named(small):
    write = "import os; os.makedirs('out')\nfor name in 'abcdefg': open(f'out/{name}', 'w').write(name)"
    project = small(write)
    project.stage()
    out = project.root / "out"
    assert project.run.make_plan().rows["work"].why == ()
    (out / "b").write_text("by hand")
    (out / "c").unlink()
    (out / "new").write_text("")
    row = project.run.make_plan().rows["work"]
    assert row.state == "restorable" and row.why == ("out/c is missing", "out/b was edited", "out/new is new")
    (out / "d").write_text("by hand")
    assert project.run.make_plan().rows["work"].why[-1] == "and 1 more in out"
    assert project.stage().outcome == RESTORED
    assert {file.name: file.read_text() for file in out.iterdir()} == {name: name for name in "abcdefg"}


def test_a_failure_on_a_full_disk_names_the_disk(small, monkeypatch):
    """DVC says many things then, such as that no kind of link is possible."""
    project = small("raise RuntimeError('no link')")
    monkeypatch.setattr(places, "free", lambda place: 5e9 if place == project.root else 4096.0)
    done = project.stage()
    cache = project.root / ".dvc/cache"
    assert done.why == f"RuntimeError: no link; no space left on the disk of {cache}"
