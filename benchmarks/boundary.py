"""Scores along the boundary: one pass over the pictures against one dilation per width.

Two ways to the same tables of counts of the band and of the interior at seven widths, timed in one run, on 8
made-up pictures of 500 x 375, 21 classes, with a void border along the objects as VOC has it:

- dilations: again for each width, the edges dilated by a square, and the pixels inside and outside counted,
  with this project's own table of counts;
- one pass: the rings of stages/evaluation/boundary.py.

And what the rings cost beside the table of the whole picture, which a rung has without them. Goal: faster
than the dilations, with equal tables. Run it from the project's root: `python -m benchmarks.boundary`; it
writes benchmarks/results/boundary.csv.
"""

import cv2
import numpy as np

from benchmarks.common import median_time, save
from stages.common.artifacts import UNKNOWN
from stages.common.edges import edges
from stages.evaluation import boundary, metrics

PICTURES, CLASSES, SIZE, WIDTHS = 8, 21, (375, 500), (1, 2, 3, 5, 10, 20, 40)
TIMES, GOAL = 9, 1
Pictures = list[tuple[np.ndarray, np.ndarray]]


def main() -> None:
    cv2.setNumThreads(1)
    pictures = make_pictures()
    fast, wanted = median_time(lambda: one_pass(pictures), TIMES)
    slow, found = median_time(lambda: dilations(pictures), TIMES)
    plain, whole = median_time(lambda: tables(pictures), TIMES)
    np.testing.assert_array_equal(found, wanted)
    for table in wanted.sum(0):
        np.testing.assert_array_equal(table, whole)
    milliseconds = [f"{1000 * seconds / PICTURES:.1f}" for seconds in (slow, plain, fast)]
    header = ("against", "ms_a_picture", "ms_of_one_pass", "times_as_fast", "goal", "equal_tables")
    rows = [
        ("dilations", milliseconds[0], milliseconds[2], f"{slow / fast:.1f}", GOAL, True),
        ("no boundary", milliseconds[1], milliseconds[2], f"{plain / fast:.2f}", "", True),
    ]
    save("boundary", [header, *rows])


def make_pictures() -> Pictures:
    """Discs of 1 to 3 classes with a void border as truth, and the same moved by some pixels as a result."""
    rng = np.random.default_rng(0)
    pictures = []
    for number in range(PICTURES):
        truth = np.zeros(SIZE, np.uint8)
        for label in rng.choice(np.arange(1, CLASSES), 1 + number % 3, replace=False):
            centre = (int(rng.integers(80, 420)), int(rng.integers(80, 300)))
            cv2.circle(truth, centre, int(rng.integers(40, 110)), int(label), -1)
        result = np.roll(truth, rng.integers(-6, 7, 2), (0, 1))
        edge = edges(truth).astype(np.uint8)
        truth[cv2.dilate(edge, np.ones((5, 5), np.uint8)) > 0] = UNKNOWN
        pictures.append((truth, result))
    return pictures


def dilations(pictures: Pictures) -> np.ndarray:
    """Tables [band or interior, widths, classes, classes + 1]: everything again for each width."""
    found = np.zeros((2, len(WIDTHS), CLASSES, CLASSES + 1), np.int64)
    for truth, result in pictures:
        edge = edges(truth).astype(np.uint8)
        for place, width in enumerate(WIDTHS):
            square = np.ones((2 * width - 1, 2 * width - 1), np.uint8)
            band = cv2.dilate(edge, square) > 0
            for side, where in enumerate((band, ~band)):
                kept = np.where(where, truth, np.uint8(UNKNOWN))
                found[side, place] += metrics.confusion(kept, result, CLASSES)
    return found


def one_pass(pictures: Pictures) -> np.ndarray:
    """The same tables from one look at each pixel."""
    by_ring = np.zeros((len(WIDTHS) + 1, CLASSES, CLASSES + 1), np.int64)
    for truth, result in pictures:
        ring = boundary.rings(truth, WIDTHS, "label")
        by_ring += metrics.confusions(truth, result, ring, len(WIDTHS) + 1, CLASSES)
    return np.stack([boundary.bands(by_ring), boundary.interiors(by_ring)])


def tables(pictures: Pictures) -> np.ndarray:
    """The table of counts of the pictures as a whole."""
    return np.sum([metrics.confusion(*picture, CLASSES) for picture in pictures], axis=0)


if __name__ == "__main__":
    main()
