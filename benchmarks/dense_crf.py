"""The dense CRF: live labels against all labels, one lattice for two runs against two.

On a made-up picture of 500 x 375 with two classes of twenty, IRN's kernels, 10 iterations, one core:

- live labels: soft unaries of [background, two classes] against the same with 18 more labels whose
  probability is 0 (the clip, 1e-5), as code does that passes every class of the data set;
- one lattice: label unaries at two thresholds (gt_prob 0.7) on one object against one object each.

Run it from the project's root: `python -m benchmarks.dense_crf`; it writes
benchmarks/results/dense_crf.csv.
"""

import cv2
import numpy as np

from benchmarks.common import median_time, save
from stages.common.crf import infer, infer_labels, unary_from_labels, unary_from_scores
from stages.common.crf_params import Crf
from stages.common.labels import alpha_scores, threshold_labels

SIZE, LIVE, ALL = (375, 500), 3, 21
IRN = Crf(iterations=10, smooth_sxy=3.0, smooth_compat=3.0, color_sxy=50.0, color_srgb=5.0, color_compat=10.0)


def main() -> None:
    picture, maps = make_input()
    classes = np.arange(1, ALL)
    scores = alpha_scores(maps, 8)
    scores /= scores.sum(0)
    absent = np.zeros((ALL - LIVE, *SIZE), np.float32)
    few_unary, all_unary = unary_from_scores(scores), unary_from_scores(np.concatenate([scores, absent]))
    few_time, few = median_time(lambda: infer_labels(picture, [few_unary], classes[: LIVE - 1], IRN)[0], 3)
    all_time, every = median_time(lambda: infer_labels(picture, [all_unary], classes, IRN)[0], 3)

    starts = [threshold_labels(maps, classes[: LIVE - 1], threshold) for threshold in (0.3, 0.1)]
    unaries = [unary_from_labels(labels, LIVE, 0.7) for labels in starts]
    shared_time, shared = median_time(lambda: infer(picture, unaries, IRN), 3)
    apart_time, apart = median_time(lambda: [infer(picture, [u], IRN)[0] for u in unaries], 3)
    agreement = (np.argmax(shared, 1) == np.argmax(apart, 1)).mean()
    equal = np.array_equal(shared, apart)
    rows = [
        ("what", "against", "times_as_fast", "argmax_agreement", "equal_to_the_bit"),
        (
            f"{LIVE} live labels",
            f"all {ALL}",
            f"{all_time / few_time:.2f}",
            f"{(few == every).mean():.5f}",
            "",
        ),
        ("one lattice", "two", f"{apart_time / shared_time:.2f}", f"{agreement:.5f}", equal),
    ]
    save("dense_crf", rows)


def make_input() -> tuple[np.ndarray, np.ndarray]:
    """A picture of two textured discs on a textured ground, and blurred, shifted maps of them."""
    rng = np.random.default_rng(0)
    height, width = SIZE
    picture = np.full((height, width, 3), (90, 120, 80), np.float32)
    maps = []
    for centre, colour in (((160, 170), (190, 90, 60)), ((340, 220), (60, 90, 190))):
        disc = cv2.circle(np.zeros(SIZE, np.float32), centre, 85, 1, -1)
        picture[disc > 0] = colour
        hint = cv2.circle(np.zeros(SIZE, np.float32), (centre[0] + 15, centre[1] - 15), 60, 1, -1)
        maps.append(cv2.GaussianBlur(hint, (0, 0), 20))
    texture = cv2.GaussianBlur(rng.standard_normal((height, width, 3)), (0, 0), 2)
    picture += 20 * texture / texture.std() + 4 * rng.standard_normal(picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8), np.stack(maps)


if __name__ == "__main__":
    main()
