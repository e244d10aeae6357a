"""Locks that die with their holders, all of them: a stage that outlives its run still holds them."""

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from pipeline.project import locks
from tests.common.conftest import wait_for

HOLD = (
    "import pathlib, sys, time\nfrom pipeline.project import locks\n"
    "lock = locks.take(pathlib.Path(sys.argv[1]), 'night', 'it')\n"
    "print('held', flush=True)\ntime.sleep(600)\n"
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "a.lock"


@pytest.fixture
def other(path):
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()


def test_the_holder_is_named(path, other):
    with pytest.raises(locks.HeldError) as caught:
        locks.take(path, "day", "this worktree")
    found, host = caught.value.holder, socket.gethostname()
    assert (found.name, found.pid, found.host) == ("night", other.pid, host)
    wanted = f"this worktree is held by night (pid {other.pid} on {host}, since {found.since})"
    assert str(caught.value) == wanted
    assert locks.is_held(path) and locks.holder(path) == found


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "x"}'])
def test_a_holder_whose_name_cannot_be_read(path, other, text):
    path.write_text(text)
    with pytest.raises(locks.HeldError, match=r"^it is held by another process$"):
        locks.take(path, "day", "it")


def test_free_after_release(path):
    refused = pytest.raises(locks.HeldError, match=rf"held by one \(pid {os.getpid()} on")
    with locks.take(path, "one", "it") as lock, refused:
        locks.take(path, "two", "it")
    assert not locks.is_held(path)
    lock.release()  # twice does no harm
    with locks.take(path, "two", "it"):
        assert locks.holder(path).name == "two"


def test_free_after_a_kill(path, other):
    assert locks.is_held(path)
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert not locks.is_held(path)
    locks.take(path, "day", "it").release()


def test_a_child_that_inherited_the_handle_holds_on(path):
    """As a stage's supervisor does, whose run was killed."""
    lock = locks.take(path, "run", "it")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock.handle])
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    lock.release()
    with pytest.raises(locks.HeldError, match="held by run"):
        locks.take(path, "next", "it")
    child.communicate(b"\n", timeout=20)
    locks.take(path, "next", "it").release()  # one that was not given the handle does not hold it
    stranger.communicate(b"\n", timeout=20)


def test_wait_says_once_who_is_waited_for(path, other):
    said, results = [], []
    thread = threading.Thread(
        target=lambda: results.append(
            locks.wait(lambda: locks.take(path, "day", "it"), lambda: False, said.append)
        )
    )
    thread.start()
    wait_for(lambda: said)
    other.kill()
    thread.join(20)
    lock, waited = results[0]
    assert waited and locks.holder(path).name == "day"
    lock.release()
    assert len(said) == 1 and said[0].startswith(f"waiting: it is held by night (pid {other.pid} on ")
    assert locks.wait(lambda: "at once", lambda: False, said.append) == ("at once", False)


def test_wait_can_be_stopped(path, other):
    said = []
    found = locks.wait(lambda: locks.take(path, "day", "it"), lambda: bool(said), said.append)
    assert found == (None, True)
    assert locks.wait(lambda: "never", lambda: True, said.append) == (None, False)


def test_to_ask_holds_nobody_up(path):
    """`is_held` locks for an instant: takers and askers must not see each other."""
    stop = threading.Event()

    def ask():
        while not stop.wait(0.001):
            locks.is_held(path)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    try:
        for n in range(100):
            locks.take(path, f"run {n}", "it").release()
    finally:
        stop.set()
        for asker in askers:
            asker.join()
    assert not locks.is_held(path)


def test_nothing_holds_what_is_not_there(path):
    assert not locks.is_held(path) and locks.holder(path) is None


def test_a_lock_that_was_removed_meanwhile_is_made_anew(path, monkeypatch):
    """Two runs would hold two files of one name."""
    path.parent.mkdir()
    path.touch()
    real = locks._lock

    def removed(handle):
        monkeypatch.setattr(locks, "_lock", real)
        path.unlink()
        return real(handle)

    monkeypatch.setattr(locks, "_lock", removed)
    with locks.take(path, "one", "it"):
        assert locks.is_held(path) and locks.holder(path).name == "one"
