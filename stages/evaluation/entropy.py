"""How unsure the segmenter is where it is right and where it is wrong (CHEN 3.4.6).

Of a rung whose folder has a folder `entropy` of grey pictures, 255 for as unsure as can be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.common import fingerprint, items
from stages.common.artifacts import UNKNOWN, read_mask
from stages.common.pool import Files
from stages.evaluation import tables
from stages.evaluation.rungs import Rung

FOLDER, SUMS = "entropy", "*.csv"  # beside the results; what is kept of a picture
GROUP = 32  # pictures that go to a process at a time


class Task(NamedTuple):
    truth: Path
    result: Path
    entropy: Path


def regions(truth: np.ndarray, result: np.ndarray) -> dict[str, np.ndarray]:
    """The pixels of a mean each, bool [H, W]; void (255 in the truth) is in none."""
    known = truth != UNKNOWN
    return {"entropy_right": known & (result == truth), "entropy_wrong": known & (result != truth)}


@dataclass(frozen=True)
class Sums:
    """Of each region of a picture: the sum of the grey values, and the number of pixels."""

    def __call__(self, tasks: list[Task]) -> list[Files]:
        return [{SUMS: tables.csv_text(self.of(*map(read_mask, task))).encode()} for task in tasks]

    def of(self, truth: np.ndarray, result: np.ndarray, grey: np.ndarray) -> list[tuple[str, int, int]]:
        found = regions(truth, result)
        return [(name, int(grey[where].sum()), int(where.sum())) for name, where in found.items()]


def means(name: str, found: Rung, ids: Sequence[str], masks: Path) -> dict[str, float]:
    """Percent of the largest entropy, by region; {} for a rung without, no mean of a region without pixels.

    ValueError where a picture's entropy is missing.
    """
    folder = found.folder / FOLDER
    if found.maps or not folder.is_dir():
        return {}
    tasks = {i: Task(masks / f"{i}.png", found.file(i), folder / f"{i}.png") for i in ids}
    if missing := [str(task.entropy) for task in tasks.values() if not task.entropy.is_file()]:
        raise ValueError(f"{len(missing)} pictures of rung {name} have no entropy: {missing[0]} is missing")
    code = fingerprint.code_hash("stages.evaluation.entropy")
    work = [items.Item(i, fingerprint.key(code, *map(fingerprint.file_hash, t)), t) for i, t in tasks.items()]
    results = items.compute_items(f"entropy@{name}", work, Sums(), batches=items.groups_of(GROUP))
    sums: dict[str, np.ndarray] = {}
    for item in work:
        for line in results.read(item, SUMS).decode().splitlines():
            region, *numbers = line.split(",")
            sums[region] = sums.get(region, np.zeros(2, np.int64)) + np.array(numbers, np.int64)
    return {region: tables.percent(grey / (255 * n)) for region, (grey, n) in sums.items() if n}
