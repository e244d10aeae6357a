"""What the benchmarks of the refinement share: timing, the machine, and where results go."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from stages.common.artifacts import csv_text, write_atomic

T = TypeVar("T")
RESULTS = Path("benchmarks/results")


def median_time(work: Callable[[], T], times: int) -> tuple[float, T]:
    """Median of wall-clock seconds, and the last result."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), result


def machine() -> str:
    """One line: the processor and how many of its cores this process may use."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{names[0] if names else name}, {cores} cores"


def save(name: str, rows: Sequence[Sequence[Any]]) -> None:
    """benchmarks/results/NAME.csv of rows, the header first, which are printed too."""
    text = csv_text(rows)
    write_atomic(RESULTS / f"{name}.csv", text)
    print(machine(), text, sep="\n", end="")
