"""A map over processes that stay between the steps of a training."""

import functools
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from stages.common import items, pool


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


@dataclass(frozen=True)
class Halves(pool.Halves):
    slow: int = 0
    apart: bool = True

    def begin(self, tasks: list[int]) -> list[tuple[int, int]]:
        return [(task, os.getpid()) for task in tasks]

    def finish(self, one: tuple[int, int]) -> pool.Files:
        task, begun = one
        time.sleep(self.slow * 0.02 * (9 - task))
        return {"*.txt": f"{refuse(task)} {begun} {os.getpid()}".encode()}


def test_processes_finish_what_one_begins() -> None:
    groups = [[9, 8], [7], [6, 5, 4], [3]]
    done = list(pool.in_halves(groups, Halves(slow=1), None, 2))
    found = {index: [files["*.txt"].decode().split() for files in results] for index, results in done}
    assert [[int(task) for task, _, _ in found[index]] for index in range(4)] == groups
    assert {int(begun) for rows in found.values() for _, begun, _ in rows} == {os.getpid()}
    ended = {int(place) for rows in found.values() for _, _, place in rows}
    assert len(ended) == 2 and os.getpid() not in ended


def test_a_second_half_that_fails_is_told_here() -> None:
    with pytest.raises(ValueError, match="not two"):
        list(pool.in_halves([[5, 3], [2]], Halves(), None, 2))


@pytest.mark.parametrize("apart", [True, False])
def test_both_halves_are_of_one_process_but_beside_a_gpu(apart: bool, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_WORKERS", "2")
    for processes, parted in ((0, apart), (1, False), (None, False)):
        work = [items.Item(f"{n}", f"{processes} {n}", n) for n in (5, 4, 3)]
        found = items.compute_items("halves", work, Halves(apart=apart), processes=processes)
        places = [found.read(item, "*.txt").decode().split()[1:] for item in work]
        assert [begun != ended for begun, ended in places] == 3 * [parted]


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
