"""A map over processes that stay between the steps of a training."""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.common import pool


def slower_first(task: int, of: int) -> tuple[int, int]:
    time.sleep(0.02 * (of - task))
    return 10 * task, os.getpid()


@pytest.mark.parametrize("processes", [0, 1, 2])
def test_results_come_in_the_order_of_the_tasks(processes: int) -> None:
    with pool.mapped(functools.partial(slower_first, of=5), processes) as mapped:
        for tasks in ([0, 1, 2, 3, 4], [4, 1], []):
            found = list(mapped(tasks))
            assert [value for value, _ in found] == [10 * task for task in tasks]
            here = {os.getpid()} & {place for _, place in found}
            assert bool(here) == (processes < 2 and bool(tasks))


def refuse(task: int) -> int:
    if task == 2:
        raise ValueError("not two")
    return task


@pytest.mark.parametrize("processes", [0, 2])
def test_an_error_of_one_task_is_told_here(processes: int) -> None:
    with pool.mapped(refuse, processes) as mapped:
        with pytest.raises(ValueError, match="not two"):
            list(mapped([1, 2, 3]))
        assert list(mapped([1])) == [1]


SLEEPERS = """
import time
from pathlib import Path
from stages.common.pool import mapped

def sleep(task):
    Path(f"started{task}").touch()
    time.sleep(600)

if __name__ == "__main__":
    with mapped(sleep, 2) as found:
        list(found([0, 1, 2]))
"""


ORPHAN = """
import os, sys, time
from pathlib import Path
from stages.common import pool

if os.fork():
    time.sleep(600)  # the stage, which lives on
import stages.common.fork_server as server
if os.fork() == 0:  # a worker, whose server ends before it asks for its signal
    while os.getppid() == server.PID:
        time.sleep(0.01)
    Path("asks").touch()
    pool.end_with_stage()
    Path("lives").touch()
"""


def test_a_worker_whose_server_is_dead_ends_at_once(tmp_path, marked, wait_for) -> None:
    (tmp_path / "orphan.py").write_text(ORPHAN)
    stage = subprocess.Popen([sys.executable, "orphan.py"], env=marked.env, cwd=tmp_path)
    wait_for((tmp_path / "asks").exists)
    wait_for(lambda: len(marked.alive()) == 1)
    assert not (tmp_path / "lives").exists()
    stage.kill()
    stage.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_training_leaves_no_process(number, tmp_path, marked, wait_for) -> None:
    (tmp_path / "sleepers.py").write_text(SLEEPERS)
    stage = subprocess.Popen(
        [sys.executable, "sleepers.py"], env=marked.env, cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: len(list(Path(tmp_path).glob("started*"))) == 2)
    assert len(marked.alive()) >= 3
    stage.send_signal(number)
    assert stage.wait(5) == -number
    assert not marked.left(5)
