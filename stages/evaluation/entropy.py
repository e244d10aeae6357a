"""How unsure the segmenter is: where it is right and wrong, near the boundary and inside (CHEN 3.4.6).

Of a rung whose folder has a folder `entropy` of grey pictures, 255 for as unsure as can be.
"""

from collections.abc import Sequence

import numpy as np

from stages.common.artifacts import UNKNOWN
from stages.evaluation import metrics
from stages.evaluation.names import WIDTH
from stages.evaluation.tables import percent

FOLDER = "entropy"  # beside the results


def count(
    truth: np.ndarray, result: np.ndarray, grey: np.ndarray, ring: np.ndarray, rings: int
) -> np.ndarray:
    """Of each ring, wrong and right: the sum of grey values and the number of pixels, int64 [rings, 2, 2].

    All are uint8 [H, W]; `ring` says which one of `rings` a pixel is in (`boundary.rings`), and void (255 in
    the truth) counts in none. ValueError where the sizes differ.
    """
    if grey.shape != truth.shape:
        raise ValueError(f"the truth is {metrics.size(truth)}, the entropy is {metrics.size(grey)}")
    known = truth != UNKNOWN
    place = 2 * ring[known].astype(np.int64) + (result == truth)[known]
    sums = np.bincount(place, grey[known], 2 * rings)
    return np.stack([sums, np.bincount(place, minlength=2 * rings)], 1).astype(np.int64).reshape(rings, 2, 2)


def means(counts: np.ndarray, widths: Sequence[int]) -> dict[str, float]:
    """Keys of metrics.json, percent of the largest entropy; none of a region without pixels.

    The band is that of `boundary_miou`, 3 pixels on each side of the truth's boundary.
    """
    near = list(widths).index(WIDTH) + 1
    regions = {
        "entropy_right": counts[:, 1].sum(0),
        "entropy_wrong": counts[:, 0].sum(0),
        "entropy_band": counts[:near].sum((0, 1)),
        "entropy_interior": counts[near:].sum((0, 1)),
    }
    return {name: percent(grey / (255 * pixels)) for name, (grey, pixels) in regions.items() if pixels}
