"""GPUs by name: a stage that asks for one gets a device that nobody else uses.

Prefect's limits count, they do not say which. So each device has a lock file per machine, which the
kernel frees when its stage is gone. WSSS_GPU_SHARE=2 lets two stages use one device at a time.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline.project import locks

SECONDS = 20.0  # for an answer of nvidia-smi
SHARED = ("/tmp", "/var/tmp", "/dev/shm")  # the same for all processes of a machine


def devices() -> list[str]:
    """The GPUs this process may use, by nvidia-smi's numbers; none with WSSS_DEVICE=cpu.

    CUDA_VISIBLE_DEVICES counts as it does for CUDA: numbers or UUIDs, up to the first that is not there.
    """
    asked = os.environ.get("WSSS_DEVICE", "")
    names = [] if asked.startswith("cpu") else _visible(_listed())
    number = asked.removeprefix("cuda:")
    return names[int(number) : int(number) + 1] if number.isdigit() else names


def _listed() -> dict[str, str]:
    """UUIDs of all GPUs by their numbers, those that CUDA_VISIBLE_DEVICES hides too."""
    if not shutil.which("nvidia-smi"):
        return {}
    query = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    rows = [line.split(", ") for line in done.stdout.splitlines() if ", " in line]
    return {row[0]: row[1] for row in rows} if done.returncode == 0 else {}


def _visible(listed: dict[str, str]) -> list[str]:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return list(listed)
    names: list[str] = []
    for name in map(str.strip, chosen.split(",")):
        found = [number for number, uuid in listed.items() if name == number or _is_start(name, uuid)]
        found = [name] if name.startswith("MIG-") and listed else found  # a part of a GPU, not listed
        if len(found) != 1 or found[0] in names:
            break
        names += found
    return names


def _is_start(name: str, uuid: str) -> bool:
    """CUDA takes a UUID's beginning for the whole."""
    return name.startswith("GPU-") and uuid.startswith(name)


def environment(names: list[str]) -> dict[str, str]:
    """What makes these devices the only ones that a stage sees."""
    if not names:
        return {}
    values = {"CUDA_VISIBLE_DEVICES": ",".join(names), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # nvidia-smi's
    if os.environ.get("WSSS_DEVICE", "").startswith("cuda:"):
        values["WSSS_DEVICE"] = "cuda"  # it is the first of one now
    return values


def wanted(count: int, distributed: bool) -> int:
    """Devices that a stage asks for: a distributed training takes WSSS_DEVICES of them."""
    more = os.environ.get("WSSS_DEVICES", "")
    return max(count, int(more)) if count and distributed and more.isdigit() else count


def take(
    count: int, run: str, stop: Callable[[], bool], say: Callable[[str], None]
) -> dict[str, locks.Lock] | None:
    """Locks of `count` devices by name, waiting for them; {} where the machine has none.

    None if `stop()` came true first. Raises ValueError when the machine has fewer devices.
    """
    known = devices() if count else []
    if count > len(known) > 0:
        raise ValueError(f"{count} GPUs asked for, {len(known)} there: lower WSSS_DEVICES or meta.gpu")
    return locks.wait(lambda: _attempt(known, count, run), stop, say)[0] if known else {}


def _attempt(known: list[str], count: int, run: str) -> dict[str, locks.Lock]:
    """All of them or none: two stages that each held one of two would wait for ever."""
    taken: dict[str, locks.Lock] = {}
    held: locks.HeldError | None = None
    for slot in range(share()):
        for name in known:
            if name in taken or len(taken) == count:
                continue
            try:
                taken[name] = locks.take(place(name, slot), run, f"GPU {name}")
            except locks.HeldError as error:
                held = error
    if len(taken) < count:
        for lock in taken.values():
            lock.release()
        assert held is not None
        raise held
    return taken


def share() -> int:
    """Stages that may use one device at once."""
    text = os.environ.get("WSSS_GPU_SHARE", "1")
    return int(text) if text.isdigit() and int(text) else 1


def place(name: str, slot: int) -> Path:
    """The lock of a device's slot: one folder per machine, whoever runs there.

    Not below TMPDIR: two shells with another one would both hold the device. Where each job has a /tmp of
    its own, WSSS_GPU_LOCKS names a folder that all of them see.
    """
    own = os.environ.get("WSSS_GPU_LOCKS")
    there = (Path(path) for path in SHARED if os.access(path, os.W_OK | os.X_OK))
    folder = Path(own) if own else next(there, Path(tempfile.gettempdir())) / "wsss-gpus"
    if not folder.is_dir():
        folder.mkdir(parents=bool(own), exist_ok=True)
        with contextlib.suppress(PermissionError):  # another user was faster
            folder.chmod(0o1777)
    return folder / f"gpu-{name}-slot-{slot}.lock"
