"""The ledger of past runs: one JSON line per stage that did something, in .scratch/ledger.jsonl.

It is no output of DVC (minutes and memory differ from run to run) and is shared by all worktrees.
"""

import json
import os
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.project.outcomes import RAN, RESTORED

SWEEP = "sweep run"  # begins the name of a run in a worktree of its own
LAST = 5  # runs that an estimate looks back on


def path(root: Path) -> Path:
    return root / ".scratch" / "ledger.jsonl"


def append(root: Path, entry: dict[str, Any]) -> None:
    """Add one line; a line below 4 KiB is written whole, also beside other writers."""
    file = path(root)
    file.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(entry, sort_keys=True) + "\n"
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(handle).st_size
        cut = size and os.pread(handle, 1, size - 1) != b"\n"
        os.write(handle, b"\n" * bool(cut) + line.encode())
    finally:
        os.close(handle)


def read(root: Path) -> list[dict[str, Any]]:
    """All entries, oldest first; a line that a full disk cut short is left out."""
    try:
        lines = path(root).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    entries = []
    for line in lines:
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return [entry for entry in entries if isinstance(entry, dict)]


def hashes(entry: Mapping[str, Any]) -> list[str]:
    """The hashes of a stage's outputs, by its entry of dvc.lock: by these a result is known again."""
    return [str(out.get("md5", "")) for out in entry.get("outs", [])]


def makers(lines: Iterable[Mapping[str, Any]], lock: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The lines of who computed or restored the very results that `lock` names by stage, the oldest first.

    Without those of sweeps, which work elsewhere, for stages that have others.
    """
    outs = {stage: hashes(entry) for stage, entry in lock.items()}
    found = [
        line
        for line in lines
        if line.get("outcome") in (RAN, RESTORED) and line.get("outs") == outs.get(str(line.get("stage")), ())
    ]
    here = {line.get("stage") for line in found if not _of_sweep(line)}
    return [line for line in found if line.get("stage") not in here or not _of_sweep(line)]


def _of_sweep(line: Mapping[str, Any]) -> bool:
    return str(line.get("run")).startswith(SWEEP)


def typical_seconds(root: Path) -> dict[str, float]:
    """The median time of each stage's last runs that computed something."""
    return typical(read(root))


def typical(lines: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """The same of some lines only."""
    times: dict[str, list[float]] = {}
    for entry in lines:
        if entry.get("outcome") == "ran" and isinstance(entry.get("seconds"), int | float):
            times.setdefault(str(entry.get("stage")), []).append(float(entry["seconds"]))
    return {stage: statistics.median(values[-LAST:]) for stage, values in times.items()}
