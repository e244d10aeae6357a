import numpy as np

from stages.common.crf import infer, unary_from_scores
from stages.common.crf_params import Crf
from stages.predictions.__main__ import refined

CRF = Crf(iterations=3, smooth_sxy=3.0, smooth_compat=3.0, color_sxy=20.0, color_srgb=10.0, color_compat=5.0)


def test_crf_runs_over_the_labels_that_win_somewhere():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (12, 10, 3)).astype(np.uint8)
    chances = rng.random((5, 12, 10)).astype(np.float32)
    chances[[0, 3]] = 0  # never win
    chances /= chances.sum(0)
    labels = chances.argmax(0).astype(np.uint8)
    live = np.array([1, 2, 4], np.uint8)
    wanted = live[infer(picture, [unary_from_scores(chances[live])], CRF)[0].argmax(0)]
    assert np.array_equal(refined(picture, chances, labels, CRF), wanted)


def test_one_label_needs_no_crf():
    labels = np.full((4, 4), 2, np.uint8)
    assert refined(np.zeros((4, 4, 3), np.uint8), np.ones((3, 4, 4)) / 3, labels, CRF) is labels
