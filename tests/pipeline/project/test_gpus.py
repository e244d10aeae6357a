"""Devices by name, with a stand-in for nvidia-smi."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.project import gpus, locks
from tests.common.conftest import wait_for

UUIDS = ["GPU-aaaa1111", "GPU-bbbb2222", "GPU-bbcc3333"]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Makes nvidia-smi show so many GPUs; locks lie in a folder of this test."""
    for name in ("CUDA_VISIBLE_DEVICES", "WSSS_DEVICE", "WSSS_DEVICES", "WSSS_GPU_SHARE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WSSS_GPU_LOCKS", str(tmp_path / "wsss-gpus"))  # of its children, too
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.defpath}")

    def make(count: int, end: str = "exit 0") -> Path:
        lines = "\n".join(f"echo '{n}, {uuid}'" for n, uuid in enumerate(UUIDS[:count]))
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{lines}\n{end}\n")
        program.chmod(0o755)
        return tmp_path

    return make


def at_once(count, run="run"):
    """The devices that can be had without waiting, or None."""
    said = []
    return gpus.take(count, run, lambda: bool(said), said.append)


@pytest.mark.parametrize(
    ("visible", "wanted"),
    [
        (None, ["0", "1", "2"]),
        ("", []),
        ("1", ["1"]),
        ("2,0", ["2", "0"]),
        (" 2 , 0 ", ["2", "0"]),
        ("GPU-bbbb2222,0", ["1", "0"]),
        ("GPU-bbbb", ["1"]),  # CUDA takes the beginning of a UUID
        ("GPU-bb", []),  # of two
        ("0,7,1", ["0"]),  # CUDA stops at what is not there
        ("-1", []),
        ("NoDevFiles", []),
        ("0,0,1", ["0"]),
        ("MIG-1c2d", ["MIG-1c2d"]),
    ],
)
def test_devices_as_cuda_sees_them(machine, monkeypatch, visible, wanted):
    machine(3)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus.devices() == wanted


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("", ["2", "1"]), ("cuda", ["2", "1"]), ("cuda:0", ["2"]), ("cuda:1", ["1"]), ("cuda:2", []),
        ("cpu", []),
    ],
)  # fmt: skip
def test_wsss_device_chooses_among_them(machine, monkeypatch, asked, wanted):
    machine(3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,1")
    monkeypatch.setenv("WSSS_DEVICE", asked)
    assert gpus.devices() == wanted


def test_no_gpu(machine, monkeypatch):
    assert gpus.devices() == [] and at_once(1) == {}  # no nvidia-smi
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert gpus.devices() == []


def test_a_driver_that_does_not_answer_right(machine):
    machine(1, end="echo 'NVIDIA-SMI has failed' >&2; exit 9")
    assert gpus.devices() == []


def test_a_stage_without_gpu_asks_nobody(machine, monkeypatch):
    monkeypatch.setattr(gpus, "devices", lambda: pytest.fail("asked"))
    assert at_once(0) == {}


def test_no_two_share_one(machine):
    folder = machine(2)
    first, second = at_once(1, "one"), at_once(1, "two")
    assert (list(first), list(second)) == (["0"], ["1"])
    assert at_once(1) is None
    first["0"].release()
    assert list(at_once(1)) == ["0"]
    assert sorted(file.name for file in (folder / "wsss-gpus").iterdir()) == [
        "gpu-0-slot-0.lock", "gpu-1-slot-0.lock",
    ]  # fmt: skip
    second["1"].release()


def test_two_share_one_where_that_is_allowed(machine, monkeypatch):
    machine(2)
    monkeypatch.setenv("WSSS_GPU_SHARE", "2")
    taken = [at_once(1, f"run {n}") for n in range(4)]
    assert [list(locks_by_name) for locks_by_name in taken] == [["0"], ["1"], ["0"], ["1"]]  # spread first
    assert at_once(1) is None
    for by_name in taken:
        for lock in by_name.values():
            lock.release()
    both = at_once(2)
    assert list(both) == ["0", "1"]  # never one twice


@pytest.mark.parametrize(("text", "wanted"), [("", 1), ("0", 1), ("two", 1), ("3", 3)])
def test_share(monkeypatch, text, wanted):
    monkeypatch.setenv("WSSS_GPU_SHARE", text)
    assert gpus.share() == wanted


def test_all_or_none(machine):
    """One that waits for two holds none meanwhile."""
    machine(2)
    held = at_once(1, "first")
    assert at_once(2, "both") is None
    free = at_once(1, "second")
    assert list(free) == ["1"]
    for lock in (*held.values(), *free.values()):
        lock.release()


def test_two_runs_that_want_both_take_turns(machine):
    machine(2)
    most, at_work = [0], [0]
    guard = threading.Lock()

    def run(name):
        for _ in range(5):
            taken = gpus.take(2, name, lambda: False, lambda _: None)
            with guard:
                at_work[0] += 1
                most[0] = max(most[0], at_work[0])
            with guard:
                at_work[0] -= 1
            for lock in taken.values():
                lock.release()

    threads = [threading.Thread(target=run, args=[name], daemon=True) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads) and most == [1]


def test_more_than_there_are(machine):
    machine(2)
    with pytest.raises(ValueError, match=r"^3 GPUs asked for, 2 there: lower WSSS_DEVICES or meta.gpu$"):
        at_once(3)


@pytest.mark.parametrize(
    ("count", "distributed", "asked", "wanted"),
    [
        (1, True, "4", 4), (1, True, "", 1), (1, False, "4", 1), (0, True, "4", 0), (2, True, "1", 2),
        (1, True, "x", 1),
    ],
)  # fmt: skip
def test_wsss_devices_counts_for_distributed_stages(monkeypatch, count, distributed, asked, wanted):
    monkeypatch.setenv("WSSS_DEVICES", asked)
    assert gpus.wanted(count, distributed) == wanted


def test_what_a_stage_sees(monkeypatch):
    monkeypatch.delenv("WSSS_DEVICE", raising=False)
    numbers = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # those of nvidia-smi, whatever is fastest
    assert gpus.environment([]) == {}
    assert gpus.environment(["0", "2"]) == {"CUDA_VISIBLE_DEVICES": "0,2", **numbers}
    monkeypatch.setenv("WSSS_DEVICE", "cuda:2")
    assert gpus.environment(["2"]) == {"CUDA_VISIBLE_DEVICES": "2", "WSSS_DEVICE": "cuda", **numbers}


def test_a_device_is_free_when_its_stage_is_gone(machine):
    """Whatever became of it."""
    machine(1)
    code = (
        "import time\nfrom pipeline.project import gpus\n"
        "taken = gpus.take(1, 'killed', lambda: False, print)\nprint(*taken, flush=True)\ntime.sleep(600)"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "0\n"
    said = []
    assert gpus.take(1, "next", lambda: bool(said), said.append) is None
    assert said[0].startswith(f"waiting: GPU 0 is held by killed (pid {other.pid} on ")
    other.kill()
    other.wait()
    assert list(at_once(1)) == ["0"]


def test_a_wait_ends_when_a_device_is_free(machine):
    machine(1)
    held, said, taken = at_once(1, "first"), [], []
    thread = threading.Thread(target=lambda: taken.append(gpus.take(1, "next", lambda: False, said.append)))
    thread.start()
    wait_for(lambda: said)
    assert not taken and locks.is_held(gpus.place("0", 0))
    held["0"].release()
    thread.join(20)
    assert [list(by_name) for by_name in taken] == [["0"]]


def test_another_tmpdir_is_the_same_machine(tmp_path):
    """As in the shells of two Slurm jobs."""
    code = "from pipeline.project import gpus; print(gpus.place('0', 0))"
    env = {key: value for key, value in os.environ.items() if key != "WSSS_GPU_LOCKS"}
    env |= {"PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    said = [
        subprocess.check_output([sys.executable, "-c", code], env={**env, "TMPDIR": str(folder)}, text=True)
        for folder in (tmp_path, "/tmp")
    ]
    assert said[0] == said[1] and str(tmp_path) not in said[0]


def test_a_folder_of_ones_own_for_the_locks(tmp_path, monkeypatch):
    monkeypatch.setenv("WSSS_GPU_LOCKS", str(tmp_path / "a" / "b"))
    assert gpus.place("0", 1) == tmp_path / "a/b/gpu-0-slot-1.lock"
