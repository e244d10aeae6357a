"""What the benchmarks of the refinement share: timing, the machine, and where results go."""

import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pipeline.project import processor
from stages.common.artifacts import csv_text, write_atomic

T = TypeVar("T")
RESULTS = Path("benchmarks/results")
SLEEP = {"OMP_WAIT_POLICY": "PASSIVE"}  # threads that wait sleep, as `wsss` runs a step


def median_time(work: Callable[[], T], times: int) -> tuple[float, T]:
    """Median of wall-clock seconds, and the last result."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), result


class BatchClock:
    """When a training has asked for each batch of `batch` samples."""

    def __init__(self, batch: int) -> None:
        self.batch, self.samples = batch, 0
        self.times: list[float] = []

    def tick(self) -> None:
        """A sample is asked for."""
        if self.samples % self.batch == 0:
            self.times.append(time.perf_counter())
        self.samples += 1

    def seconds(self) -> list[float]:
        """From each batch to the next: of a step, and of drawing what it learns from."""
        return [after - before for before, after in itertools.pairwise(self.times)]


def start(module: str, *arguments: str, waiting: Mapping[str, str] = SLEEP) -> subprocess.Popen[str]:
    """A benchmark's own process, of which `said` is what it prints last."""
    own = {name: value for name, value in os.environ.items() if name not in SLEEP}
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    return subprocess.Popen(command, env=own | dict(waiting), text=True, stdout=subprocess.PIPE)


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The JSON of the last line. CalledProcessError if it failed."""
    text, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    found: dict[str, Any] = json.loads(text.splitlines()[-1])
    return found


def save(name: str, rows: Sequence[Sequence[Any]]) -> None:
    """benchmarks/results/NAME.csv of rows, the header first, which are printed too."""
    text = csv_text(rows)
    write_atomic(RESULTS / f"{name}.csv", text)
    print(processor.described(), text, sep="\n", end="")
