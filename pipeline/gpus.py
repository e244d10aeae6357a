"""GPUs by name: a stage that asks for one gets a device that nobody else uses.

Prefect's limits count, they do not say which. So each device has a lock file per machine, which the
kernel frees when its stage is gone. WSSS_GPU_SHARE=2 lets two stages use one device at a time.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline import locks


def devices() -> list[str]:
    """The GPUs this process may use, as CUDA_VISIBLE_DEVICES names them; none with WSSS_DEVICE=cpu."""
    if os.environ.get("WSSS_DEVICE", "").startswith("cpu") or not shutil.which("nvidia-smi"):
        return []
    query = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = (
        [line.split(", ") for line in done.stdout.splitlines() if ", " in line]
        if done.returncode == 0
        else []
    )
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [row[0] for row in rows]
    chosen = [name.strip() for name in visible.split(",") if name.strip()]
    by_uuid = {row[1]: row[0] for row in rows}
    return [
        by_uuid.get(name, name) for name in chosen if name in by_uuid or any(name == row[0] for row in rows)
    ]


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
        raise ValueError(f"{count} GPUs asked for, this machine has {len(known)}: lower WSSS_DEVICES")
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
    """The lock of a device's slot: one folder per machine, whoever runs there."""
    folder = Path(tempfile.gettempdir()) / "wsss-gpus"
    if not folder.is_dir():
        folder.mkdir(exist_ok=True)
        folder.chmod(0o1777)
    return folder / f"gpu-{name}-slot-{slot}.lock"
