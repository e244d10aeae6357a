"""The threshold curve: one pass over the pictures against one pass per threshold.

Three ways to the same 60 tables of counts, timed in one run, on 8 made-up pictures of 500 x 375, 21 classes:

- published: what PSA's and SEAM's evaluators do, again for each threshold: read the maps and the
  mask, argmax over [threshold, 20 class maps], then three comparisons with each class;
- lean: again for each threshold, but with this project's own functions: maps of the present classes
  only, one bincount for the table;
- one pass: the joint histogram of stages/evaluation/curve.py.

Goal: at least 50 times as fast as either, with equal IoU. Run it from the project's root:
`python -m benchmarks.threshold_curve`; it writes benchmarks/results/threshold_curve.csv.
"""

import functools
import tempfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks.common import median_time, save
from stages.common.artifacts import mask_bytes, npz_bytes, read_mask, read_npz, write_atomic
from stages.common.labels import threshold_labels, upsample
from stages.evaluation import curve, metrics

PICTURES, CLASSES, BINS, SIZE, STRIDE, GOAL = 8, 21, 60, (375, 500), 8, 50


def main() -> None:
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_pictures(folder)
        fast, wanted = median_time(lambda: one_pass(folder), 5)
        rows = []
        for way, times in ((published, 1), (lean, 3)):
            seconds, found = median_time(functools.partial(way, folder), times)
            np.testing.assert_array_equal(found, wanted)
            rows.append((way.__name__, f"{seconds / fast:.1f}", GOAL, True))
    save("threshold_curve", [("against", "times_as_fast", "goal", "equal_iou"), *rows])


def make_pictures(folder: Path) -> None:
    """Blobs of 1 to 3 classes as truth, their blurred and shifted shapes as maps, a void border."""
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        truth = np.zeros(SIZE, np.uint8)
        present = np.sort(rng.choice(np.arange(1, CLASSES), 1 + number % 3, replace=False))
        for label in present:
            centre = (int(rng.integers(80, 420)), int(rng.integers(80, 300)))
            cv2.circle(truth, centre, int(rng.integers(40, 110)), int(label), -1)
        maps = [cv2.GaussianBlur((truth == label).astype(np.float32), (0, 0), 25) for label in present]
        small = np.stack([cv2.resize(m, (SIZE[1] // STRIDE + 1, SIZE[0] // STRIDE + 1)) for m in maps])
        small /= np.maximum(small.max((1, 2), keepdims=True), 1e-6)
        edge = cv2.Laplacian(truth, cv2.CV_16S) != 0
        truth[cv2.dilate(edge.astype(np.uint8), np.ones((5, 5))) > 0] = 255
        arrays = {
            "maps": small.astype(np.float16),
            "classes": present.astype(np.int16),
            "size": np.array(SIZE),
        }
        write_atomic(folder / f"{number}.npz", npz_bytes(**arrays))
        write_atomic(folder / f"{number}.png", mask_bytes(truth))
        # The peers store maps at full size, uncompressed.
        np.savez(folder / f"{number}_full.npz", maps=upsample(arrays["maps"], SIZE), classes=present)


def published(folder: Path) -> np.ndarray:
    """IoU [thresholds, classes]: everything again per threshold, counted class by class."""
    ious = []
    for threshold in curve.thresholds(BINS):
        result_pixels, truth_pixels, hits = np.zeros((3, CLASSES), np.int64)
        for number in range(PICTURES):
            arrays = read_npz(folder / f"{number}_full.npz")
            scores = np.zeros((CLASSES, *SIZE), np.float32)
            scores[arrays["classes"]] = arrays["maps"]
            scores[0] = threshold
            result, truth = np.argmax(scores, axis=0).astype(np.uint8), read_mask(folder / f"{number}.png")
            scored = truth < 255
            right = (result == truth) * scored
            for label in range(CLASSES):
                result_pixels[label] += np.sum((result == label) * scored)
                truth_pixels[label] += np.sum((truth == label) * scored)
                hits[label] += np.sum((truth == label) * right)
        ious.append(metrics.iou(hits, result_pixels - hits, truth_pixels - hits))
    return np.stack(ious)


def lean(folder: Path) -> np.ndarray:
    """IoU [thresholds, classes]: everything again per threshold, with this project's functions."""
    ious = []
    for threshold in curve.thresholds(BINS):
        table = np.zeros((CLASSES, CLASSES + 1), np.int64)
        for number in range(PICTURES):
            arrays = read_npz(folder / f"{number}.npz")
            labels = threshold_labels(upsample(arrays["maps"], SIZE), arrays["classes"], threshold)
            table += metrics.confusion(read_mask(folder / f"{number}.png"), labels, CLASSES)
        ious.append(metrics.iou(*metrics.counts(table)))
    return np.stack(ious)


def one_pass(folder: Path) -> np.ndarray:
    """IoU [thresholds, classes] from one reading of each picture."""
    histogram = curve.empty_histogram(CLASSES, BINS)
    for number in range(PICTURES):
        arrays = read_npz(folder / f"{number}.npz")
        maps = upsample(arrays["maps"], SIZE)
        truth, columns = read_mask(folder / f"{number}.png"), curve.columns(arrays["classes"])
        histogram[:, columns] += curve.count(truth, maps, CLASSES, BINS)
    return metrics.iou(*metrics.counts(curve.tables(histogram)))


if __name__ == "__main__":
    main()
