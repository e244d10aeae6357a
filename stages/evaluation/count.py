"""What one picture adds to the tables of a rung, in processes: its result against its mask, in pixels."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.common import fingerprint
from stages.common.artifacts import npz_arrays, npz_bytes, read_mask
from stages.common.labels import as_objects, threshold_labels
from stages.common.pool import Files
from stages.evaluation import boundary, curve
from stages.evaluation.params import Void
from stages.evaluation.results import read_maps

COUNTS, PROBLEM = "*.npz", "*.txt"


class Task(NamedTuple):
    truth: Path
    result: Path


class Counts(NamedTuple):
    """Tables of counts at the threshold by distance to the boundary, and of maps the histogram at `columns`.

    `by_ring` is what `boundary.count` gives; the joint histogram is of `curve.count`.
    """

    by_ring: np.ndarray
    histogram: np.ndarray | None
    columns: np.ndarray | None

    @property
    def table(self) -> np.ndarray:
        """Of the whole picture, [C, C + 1]."""
        return np.asarray(self.by_ring.sum(0))


@dataclass(frozen=True)
class Count:
    """`classes` counts the background; `threshold` and `bins` are of maps, `widths` and `void` of bands.

    `merged`: the results tell object from ground, and the truth's classes count as one.
    """

    classes: int
    maps: bool
    threshold: float
    bins: int
    widths: tuple[int, ...]
    void: Void
    merged: bool = False

    def key(self, task: Task) -> str:
        """Of the two files, and of the result's name, which a problem names."""
        code = fingerprint.code_hash("stages.evaluation.count")
        of_maps = (self.threshold, self.bins) if self.maps else None
        bands = (self.widths, self.void)
        hashes = [fingerprint.file_hash(file) for file in task]
        return fingerprint.key(code, self.classes, self.merged, of_maps, bands, hashes, str(task.result))

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
            return Counts(self._by_ring(truth, read_mask(task.result)), None, None)
        maps, present = read_maps(task.result, truth.shape, self.classes)
        labels = threshold_labels(maps, present, self.threshold)
        histogram = curve.count(truth, maps, self.classes, self.bins)
        return Counts(self._by_ring(truth, labels), histogram, curve.columns(present))

    def _by_ring(self, truth: np.ndarray, result: np.ndarray) -> np.ndarray:
        return boundary.count(truth, result, self.classes, self.widths, self.void)


def read_counts(content: bytes) -> Counts:
    arrays = npz_arrays(content)
    return Counts(arrays["table"], arrays.get("histogram"), arrays.get("columns"))
