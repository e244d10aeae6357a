import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from stages.common import items, pool
from stages.common.items import Item, by_size, groups_of, map_items


def double(tasks: list[int]) -> list[pool.Files]:
    """Two files a picture; a negative number cannot be done."""
    if min(tasks) < 0:
        raise ValueError("a negative picture")
    return [{"*.txt": str(2 * n).encode(), "sub/*.bin": bytes([n])} for n in tasks]


def work(*numbers: int) -> list[Item]:
    return [Item(f"p{n}", f"key{n}", n) for n in numbers]


def files(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


OUT = Path("data/out")
EXPECTED = {"p1.txt": b"2", "p3.txt": b"6", "sub/p1.bin": b"\x01", "sub/p3.bin": b"\x03"}


@pytest.mark.parametrize(("processes", "method"), [(0, "spawn"), (2, "forkserver"), (2, "spawn")])
def test_here_and_in_processes_give_the_same_files(
    processes: int, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSSS_START_METHOD", method)
    line = map_items("step", OUT, work(1, 3), double, processes=processes)
    assert "2 pictures, 0 reused, 2 computed" in line
    assert files(OUT) == EXPECTED


STORE = items.SCRATCH / "items" / "step"
DAY = 86400.0


def age(place: Path, days: float) -> None:
    then = time.time() - days * DAY
    os.utime(place, (then, then))


def test_results_are_reused_and_what_is_unused_stays_for_a_week() -> None:
    """Another working tree may use it: .scratch may be shared."""
    map_items("step", OUT, work(1, 2), double, processes=0)
    assert "1 reused, 1 computed" in map_items("step", OUT, work(1, 3), double, processes=0)
    assert files(OUT) == EXPECTED
    assert {place.name for place in STORE.iterdir()} == {"key1", "key2", "key3"}
    for name, days in (("key1", 8), ("key2", 6.9), ("key3", 8)):
        age(STORE / name, days)
    assert "1 reused, 0 computed" in map_items("step", OUT, work(3), double, processes=0)
    assert {place.name for place in STORE.iterdir()} == {"key2", "key3"}
    assert time.time() - (STORE / "key3").stat().st_mtime < 60  # used now


def test_a_run_that_fails_keeps_what_it_used() -> None:
    map_items("step", OUT, work(1, 2), double, processes=0)
    age(STORE / "key1", 8)
    with pytest.raises(ValueError, match="negative"):
        map_items("step", OUT, work(1, -1), double, processes=0)
    map_items("step", OUT, work(2), double, processes=0)
    assert {place.name for place in STORE.iterdir()} == {"key1", "key2"}


def test_what_a_killed_process_left_goes_after_a_day() -> None:
    map_items("step", OUT, work(1), double, processes=0)
    for name, days in ((".young.partial", 0.9), (".old.partial", 1.1)):
        (STORE / name / "sub").mkdir(parents=True)
        age(STORE / name, days)
    map_items("step", OUT, work(1), double, processes=0)
    assert {place.name for place in STORE.iterdir()} == {"key1", ".young.partial"}


def test_equal_keys_are_computed_once() -> None:
    twice = [Item("a", "same", 1), Item("b", "same", 1)]
    assert "2 pictures, 1 reused, 1 computed" in map_items("step", OUT, twice, double, processes=0)
    assert files(OUT)["a.txt"] == files(OUT)["b.txt"] == b"2"


def test_a_changed_key_is_computed_again() -> None:
    map_items("step", OUT, work(1), double, processes=0)
    assert "0 reused, 1 computed" in map_items("step", OUT, [Item("p1", "new", 5)], double, processes=0)
    assert files(OUT)["p1.txt"] == b"10"


def test_a_failure_leaves_no_output_and_keeps_what_was_done() -> None:
    with pytest.raises(ValueError, match="negative"):
        map_items("step", OUT, work(1, 3, -1), double, processes=0)
    assert not OUT.exists()
    assert "2 reused, 0 computed" in map_items("step", OUT, work(1, 3), double, processes=0)
    assert files(OUT) == EXPECTED


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_a_failure_in_a_worker_is_told_here(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSSS_START_METHOD", method)
    with pytest.raises(ValueError, match="a negative picture"):
        map_items("step", OUT, work(1, -1), double, processes=2)
    assert not OUT.exists()


def test_a_failure_leaves_the_last_good_output() -> None:
    map_items("step", OUT, work(1, 3), double, processes=0)
    with pytest.raises(ValueError, match="negative"):
        map_items("step", OUT, work(1, -1), double, processes=0)
    assert files(OUT) == EXPECTED


def test_batches_group_what_is_left() -> None:
    map_items("step", OUT, work(3), double, processes=0)
    seen: list[int] = []

    def pairs(todo: list[Item]) -> list[list[Item]]:
        seen.extend(item.task for item in todo)
        return [todo]

    map_items("step", OUT, work(1, 3, 5), double, processes=0, batches=pairs)
    assert seen == [1, 5]
    assert files(OUT)["p5.txt"] == b"10"


def test_batches_for_a_gpu_hold_one_size_and_no_more_than_it_has_memory_for() -> None:
    def sizes(*heights: int, width: int = 4) -> list[Item]:
        return [Item(str(n), str(n), SimpleNamespace(height=h, width=width)) for n, h in enumerate(heights)]

    work = sizes(*[3] * 17, 5)
    assert [[item.task.height for item in batch] for batch in by_size(work)] == [[3] * 16, [3], [5]]
    mixed = sizes(4, 5, 4)
    assert by_size(mixed) == [[mixed[0], mixed[2]], [mixed[1]]]
    assert [len(batch) for batch in by_size(sizes(*[1024] * 5, width=2048))] == [2, 2, 1]
    assert [len(batch) for batch in by_size(sizes(9999, 9999, width=9999))] == [1, 1]


def test_a_gpu_s_work_is_done_here_in_batches_and_a_cpu_s_in_processes_one_by_one() -> None:
    assert items.on("cuda") == {"batches": by_size, "processes": 0} and items.on("cpu") == {}


def test_small_work_goes_in_groups() -> None:
    work_, group = work(1, 2, 3, 4, 5), groups_of(2)
    assert group(work_) == [work_[:2], work_[2:4], work_[4:]] and group([]) == []


def halves(task: int) -> float:
    return task / 2


def halved(read: list[float]) -> list[pool.Files]:
    return [{"*.txt": str(value).encode()} for value in read]


@pytest.mark.parametrize("processes", [0, 2])
def test_what_is_read_of_a_task_goes_to_compute_in_its_place(processes: int) -> None:
    map_items("step", OUT, work(1, 3, 4), halved, read=halves, processes=processes)
    assert files(OUT) == {"p1.txt": b"0.5", "p3.txt": b"1.5", "p4.txt": b"2.0"}


def test_the_next_group_is_read_while_one_is_computed() -> None:
    done, read_ahead = [], {n: threading.Event() for n in range(4)}

    def read(task: int) -> int:
        read_ahead[task].set()
        return task

    def compute(tasks: list[int]) -> list[pool.Files]:
        following = max(tasks) + 1
        assert following > 3 or read_ahead[following].wait(60)
        assert following + 1 > 3 or not read_ahead[following + 1].is_set()  # one group ahead, not all
        done.extend(tasks)
        return [{"*.txt": b""} for _ in tasks]

    map_items("step", OUT, work(0, 1, 2, 3), compute, read=read, processes=0)
    assert done == [0, 1, 2, 3]


def test_nothing_to_do_makes_an_empty_folder_with_the_further_files() -> None:
    assert "0 pictures" in map_items("step", OUT, [], double, processes=2, also={"config.json": b"{}"})
    assert files(OUT) == {"config.json": b"{}"}


def test_workers_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSSS_WORKERS", "3")
    assert pool.worker_count() == 3
    monkeypatch.delenv("WSSS_WORKERS")
    assert pool.worker_count() == len(os.sched_getaffinity(0))
    for wrong in ("abc", "0", "-1", "2.5"):
        monkeypatch.setenv("WSSS_WORKERS", wrong)
        with pytest.raises(ValueError, match=f"WSSS_WORKERS={wrong}: give a number"):
            pool.worker_count()


def test_a_system_that_does_not_say_which_processors_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS."""
    monkeypatch.delenv("WSSS_WORKERS", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity")
    assert pool.worker_count() == os.cpu_count()


SLEEPERS = """
import time
from pathlib import Path
from stages.common.items import Item, map_items

def sleep(tasks):
    Path(f"started{tasks[0]}").touch()
    time.sleep(600)

if __name__ == "__main__":
    map_items("step", Path("out"), [Item(f"p{n}", f"k{n}", n) for n in range(4)], sleep, processes=2)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("method", ["forkserver", "spawn", "fork"])
def test_a_killed_stage_leaves_no_process(method, number, tmp_path, marked, wait_for) -> None:
    """Of the workers, the fork server and the tracker of resources."""
    (tmp_path / "sleepers.py").write_text(SLEEPERS)
    stage = subprocess.Popen(
        [sys.executable, "sleepers.py"], env={**marked.env, "WSSS_START_METHOD": method},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: len(list(tmp_path.glob("started*"))) == 2)
    assert len(marked.alive()) >= 3
    stage.send_signal(number)
    assert stage.wait(2) == -number
    assert not marked.left(2)


def test_a_full_shared_memory_is_named(monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pool, "ProcessPoolExecutor", full)
    monkeypatch.setattr(pool, "context", lambda _: None)
    with pytest.raises(ValueError, match=r"^/dev/shm is full or too small .* `docker run --shm-size 8g`"):
        pool.in_processes([["a"]], print, None, 2)
