"""What one picture adds to the tables of a rung, in processes: its result against its mask, in pixels."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.common import fingerprint
from stages.common.artifacts import npz_arrays, npz_bytes, read_mask
from stages.common.labels import as_objects, threshold_labels
from stages.common.pool import Files
from stages.evaluation import curve, metrics
from stages.evaluation.results import read_maps

COUNTS, PROBLEM = "*.npz", "*.txt"


class Task(NamedTuple):
    truth: Path
    result: Path


class Counts(NamedTuple):
    """The table of counts [C, C + 1] at the threshold, and of maps the joint histogram at `columns`."""

    table: np.ndarray
    histogram: np.ndarray | None
    columns: np.ndarray | None


@dataclass(frozen=True)
class Count:
    """`classes` counts the background; `threshold` and `bins` are of maps.

    `merged`: the results tell object from ground, and the truth's classes count as one.
    """

    classes: int
    maps: bool
    threshold: float
    bins: int
    merged: bool = False

    def key(self, task: Task) -> str:
        """Of the two files, and of the result's name, which a problem names."""
        code = fingerprint.code_hash("stages.evaluation.count")
        of_maps = (self.threshold, self.bins) if self.maps else None
        hashes = [fingerprint.file_hash(file) for file in task]
        return fingerprint.key(code, self.classes, self.merged, of_maps, hashes, str(task.result))

    def __call__(self, tasks: list[Task]) -> list[Files]:
        return [self._files(task) for task in tasks]

    def _files(self, task: Task) -> Files:
        try:
            counts = self.counts(task)
        except (ValueError, OSError) as error:
            return {PROBLEM: f"{task.result} against {task.truth}: {error}".encode()}
        arrays = {name: array for name, array in counts._asdict().items() if array is not None}
        return {COUNTS: npz_bytes(**arrays)}

    def counts(self, task: Task) -> Counts:
        truth = as_objects(read_mask(task.truth)) if self.merged else read_mask(task.truth)
        if not self.maps:
            return Counts(metrics.confusion(truth, read_mask(task.result), self.classes), None, None)
        maps, present = read_maps(task.result, truth.shape, self.classes)
        labels = threshold_labels(maps, present, self.threshold)
        histogram = curve.count(truth, maps, self.classes, self.bins)
        return Counts(metrics.confusion(truth, labels, self.classes), histogram, curve.columns(present))


def read_counts(content: bytes) -> Counts:
    arrays = npz_arrays(content)
    return Counts(arrays["table"], arrays.get("histogram"), arrays.get("columns"))
