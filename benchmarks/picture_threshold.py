"""What one threshold for all pictures costs the seeds of the last run: against the best one of each picture.

The masks choose the thresholds, so it is no result, but a bound: where it lies far above the curve's best
point the maps find the objects, and only how high they are at the objects' borders differs between pictures.

Run it in a project whose seeds and masks are there (`wsss run evaluation@seeds`), from its root:
`python -m benchmarks.picture_threshold`; it writes benchmarks/results/picture_threshold.csv.
"""

from pathlib import Path

import numpy as np

from benchmarks.common import save
from stages.common.artifacts import read_mask
from stages.common.pictures import load_pictures
from stages.common.progress import track
from stages.evaluation import curve, metrics
from stages.evaluation.results import read_maps

SEEDS, MASKS, BINS = Path("data/seeds"), Path("data/masks"), 50


def main() -> None:
    pictures = load_pictures()
    classes = len(pictures.classes)
    total = np.zeros((BINS, classes, classes + 1), np.int64)
    best = np.zeros((classes, classes + 1), np.int64)
    masked = [p for p in pictures.split("train") if (MASKS / f"{p.id}.png").is_file()]
    for picture in track(masked, len(masked), "counting"):
        truth = read_mask(MASKS / f"{picture.id}.png")
        maps, present = read_maps(SEEDS / f"{picture.id}.npz", truth.shape, classes)
        histogram = curve.empty_histogram(classes, BINS)
        histogram[:, curve.columns(present)] += curve.count(truth, maps, classes, BINS)
        tables = curve.tables(histogram)
        total += tables
        best += tables[best_of(tables)]
    one = total[best_of(total)]
    too_much = one[:, 1:classes].copy()
    np.fill_diagonal(too_much[1:], 0)  # what is right
    save("picture_threshold", [
        ("seeds", "percent"),
        ("mIoU at the best threshold of all pictures", f"{100 * metrics.means(one)['miou']:.2f}"),
        ("mIoU at the best threshold of each picture", f"{100 * metrics.means(best)['miou']:.2f}"),
        ("of what is marked too much, on background", f"{100 * too_much[0].sum() / too_much.sum():.1f}"),
    ])  # fmt: skip


def best_of(tables: np.ndarray) -> int:
    """Where the mIoU of tables of counts [bins, classes, classes + 1] is largest."""
    return int(np.argmax(metrics.means(tables)["miou"]))


if __name__ == "__main__":
    main()
