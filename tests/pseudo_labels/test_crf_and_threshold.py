"""The methods that need no affinities."""

import numpy as np

from stages.common.crf import infer_labels, unary_from_labels
from stages.common.crf_params import Crf
from stages.pseudo_labels import crf, seed_rule, threshold
from stages.pseudo_labels.params import CrfMethod, SeedRule, Threshold

CRF = Crf(iterations=3, smooth_sxy=3.0, smooth_compat=3.0, color_sxy=50.0, color_srgb=5.0, color_compat=10.0)
MAPS = np.float16([[[1, 0]], [[0, 0.5]]])
CLASSES = np.int16([4, 9])


def test_threshold_at_full_size():
    labels = threshold.labels(MAPS, CLASSES, (1, 8), Threshold(threshold=0.4), CRF)
    # The first map is 1, 1, .875, .625, .375, .125, 0, 0; the second half of its mirror image.
    np.testing.assert_array_equal(labels, [[4, 4, 4, 4, 0, 9, 9, 9]])


def test_crf_starts_from_the_thresholded_seeds():
    picture = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    labels = crf.labels(MAPS, CLASSES, (6, 8), CrfMethod(threshold=0.4, gt_prob=0.7), CRF, picture)
    start = np.tile([1, 1, 1, 1, 0, 2, 2, 2], (6, 1))
    expected = infer_labels(picture, [unary_from_labels(start, 3, 0.7)], CLASSES, CRF)[0]
    np.testing.assert_array_equal(labels, expected)


def test_seed_rule_by_hand():
    maps = np.float16([[[1, -1, 0.5, 0.2]], [[-1, -1, 1, 0.1]]])
    labels = seed_rule.labels(maps, CLASSES, (1, 4), SeedRule(k=0.4), CRF)
    # seeds of 4: two pixels, of 9: one, which wins the shared one; both negative; below k of both
    np.testing.assert_array_equal(labels, [[4, 0, 9, 255]])


def test_crf_knows_no_label_beyond_the_pictures_classes(monkeypatch):
    """The three labels share what the marked one leaves: .7, .15 and .15."""
    given = []
    monkeypatch.setattr(
        crf, "infer_labels", lambda picture, unaries, *rest: given.extend(unaries) or ["labels"]
    )
    found = crf.labels(MAPS, CLASSES, (1, 2), CrfMethod(threshold=0.4, gt_prob=0.7), CRF, np.zeros((1, 2, 3)))
    assert found == "labels"
    np.testing.assert_allclose(np.exp(-given[0]), [[0.15, 0.15], [0.7, 0.15], [0.15, 0.7]], rtol=1e-5)


def test_what_is_read_beside_the_seeds():
    assert crf.needs(CrfMethod(threshold=0.4, gt_prob=0.7)) == {"picture"}
    assert threshold.needs(Threshold(threshold=0.4)) == seed_rule.needs(SeedRule(k=0.4)) == set()
