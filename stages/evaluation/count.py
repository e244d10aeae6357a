"""What one picture adds to the tables of a rung, in processes: its result against its mask, in pixels."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.common import fingerprint
from stages.common.artifacts import npz_arrays, npz_bytes, read_mask
from stages.common.labels import as_objects, threshold_labels
from stages.common.pool import Files
from stages.evaluation import boundary, curve, entropy, metrics
from stages.evaluation.params import Void
from stages.evaluation.results import read_maps

COUNTS, PROBLEM = "*.npz", "*.txt"


class Task(NamedTuple):
    truth: Path
    result: Path
    entropy: Path | None = None


class Counts(NamedTuple):
    """Tables of counts at the threshold by distance to the boundary, and of maps the histogram at `columns`.

    `by_ring` is of `metrics.confusions`, `entropy` of `entropy.count`, the joint histogram of `curve.count`.
    """

    by_ring: np.ndarray
    histogram: np.ndarray | None = None
    columns: np.ndarray | None = None
    entropy: np.ndarray | None = None

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
        hashes = [fingerprint.file_hash(file) for file in task if file]
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
        ring, rings = boundary.rings(truth, self.widths, self.void), len(self.widths) + 1
        if not self.maps:
            result = read_mask(task.result)
            by_ring = metrics.confusions(truth, result, ring, rings, self.classes)
            if task.entropy is None:
                return Counts(by_ring)
            unsure = entropy.count(truth, result, read_mask(task.entropy), ring, rings)
            return Counts(by_ring, entropy=unsure)
        maps, present = read_maps(task.result, truth.shape, self.classes)
        labels = threshold_labels(maps, present, self.threshold)
        by_ring = metrics.confusions(truth, labels, ring, rings, self.classes)
        return Counts(by_ring, curve.count(truth, maps, self.classes, self.bins), curve.columns(present))


def read_counts(content: bytes) -> Counts:
    return Counts(**npz_arrays(content))
