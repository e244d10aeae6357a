"""E-measure, Jaccard with a threshold, F1 and their kin: by pixels, by hand, by torchmetrics."""

import numpy as np
import pytest

from stages.evaluation import metrics, pictures


def _table(truth, result, classes=2):
    return metrics.confusion(
        np.atleast_2d(truth).astype(np.uint8), np.atleast_2d(result).astype(np.uint8), classes
    )


def _every(table):
    counts = metrics.counts(table)
    return (*counts, metrics.negatives(table))


def _e_by_pixels(truth, result):
    """Fan et al., 2018, at each pixel; the mean over all."""
    a, b = truth - truth.mean(), result - result.mean()
    below = a**2 + b**2
    aligned = np.divide(2 * a * b, below, out=np.ones_like(a), where=below > 0)
    return ((1 + aligned) ** 2 / 4).mean()


def test_the_e_measure_is_the_mean_over_the_pixels():
    rng = np.random.default_rng(0)
    for share in (0.1, 0.5, 0.9):
        truth = rng.choice([0, 1, 2], (12, 17), p=[0.5, 0.3, 0.2])
        result = np.where(rng.random(truth.shape) < share, truth, rng.choice([0, 1, 2, 255], truth.shape))
        found = metrics.e_measure(*_every(_table(truth, result, 4)))
        for label in (0, 1, 2):
            wanted = _e_by_pixels((truth == label).astype(float), (result == label).astype(float))
            assert found[label] == pytest.approx(wanted, abs=1e-12)


def test_limits_of_the_e_measure():
    truth = np.array([0, 0, 0, 1])
    for result, wanted in ((truth, 1), (0 * truth, 0.25), (0 * truth + 1, 0.25), (1 - truth, 0)):
        assert metrics.e_measure(*_every(_table(truth, result)))[1] == pytest.approx(wanted)
    none, all_of_it = np.zeros(4), np.ones(4)
    assert metrics.e_measure(*_every(_table(none, truth)))[1] == pytest.approx(1 - 1 / 4)
    assert metrics.e_measure(*_every(_table(all_of_it, truth)))[1] == pytest.approx(1 / 4)
    assert metrics.e_measure(*_every(np.zeros((2, 3), np.int64))).tolist() == [0, 0]


def test_e_is_no_better_for_a_void_pixel():
    """255 in the truth is in no mean; unknown in the result marks nothing."""
    truth, result = np.array([0, 1, 1, 255, 255]), np.array([0, 1, 255, 1, 0])
    wanted = _e_by_pixels(np.array([0.0, 1, 1]), np.array([0.0, 1, 0]))
    assert metrics.e_measure(*_every(_table(truth, result)))[1] == pytest.approx(wanted)


def test_dice_is_2j_over_1_plus_j():
    rng = np.random.default_rng(1)
    table = rng.integers(0, 50, (5, 6))
    counts = metrics.counts(table)
    iou = metrics.iou(*counts)
    np.testing.assert_allclose(metrics.f1(*counts), 2 * iou / (1 + iou))


def test_negatives_and_what_they_make_by_hand():
    table = np.array([[5, 1, 1, 1], [1, 2, 0, 0], [0, 1, 3, 0]])  # 15 pixels
    assert metrics.negatives(table).tolist() == [6, 10, 10]
    np.testing.assert_allclose(metrics.specificity(*_every(table)), [6 / 7, 10 / 12, 10 / 11])
    np.testing.assert_allclose(metrics.accuracy(*_every(table)), [11 / 15, 12 / 15, 13 / 15])
    assert metrics.negatives(np.stack([table, 2 * table])).tolist() == [[6, 10, 10], [12, 20, 20]]


def test_f1_and_specificity_equal_torchmetrics():
    torch = pytest.importorskip("torch")
    classification = pytest.importorskip("torchmetrics.functional.classification")
    rng = np.random.default_rng(2)
    truth = rng.choice([0, 1, 2, 255], (40, 30)).astype(np.uint8)
    result = rng.choice([0, 1, 2], truth.shape).astype(np.uint8)
    given = (torch.from_numpy(result).long().ravel(), torch.from_numpy(truth).long().ravel())
    options = {"num_classes": 3, "ignore_index": 255, "average": "none"}
    every = _every(_table(truth, result, 3))
    for mine, theirs in (
        (metrics.f1(*every[:3]), classification.multiclass_f1_score),
        (metrics.specificity(*every), classification.multiclass_specificity),
    ):
        np.testing.assert_allclose(mine, theirs(*given, **options).numpy(), atol=1e-6)


def test_a_picture_below_the_threshold_counts_as_nothing():
    """J 0.64, 0.65 and 0.66 of class 1, in one set."""
    means = pictures.Means(2, 0.65)
    for right in (64, 65, 66):
        means.add(np.array([[50, 0, 0], [100 - right, right, 0]]))
    found = dict(zip(pictures.COLUMNS, means.of_classes()[:, 1], strict=True))
    assert found["jaccard"] == pytest.approx(0.65)
    assert found["threshold_jaccard"] == pytest.approx((0.65 + 0.66) / 3)


def test_means_take_the_pictures_whose_truth_holds_the_class():
    truths = np.array([[0, 0, 1, 1], [0, 0, 0, 0], [255, 255, 255, 255], [2, 2, 2, 2]])
    results = np.array([[0, 1, 1, 1], [0, 1, 0, 0], [0, 1, 0, 0], [2, 2, 0, 2]])
    means = pictures.Means(4, 0.0)
    for truth, result in zip(truths, results, strict=True):
        means.add(_table(truth, result, 4))
    assert means.pictures.tolist() == [2, 1, 1, 0]  # a void picture is in none
    found = dict(zip(pictures.COLUMNS, means.of_classes(), strict=True))
    np.testing.assert_allclose(found["jaccard"], [(1 / 2 + 3 / 4) / 2, 2 / 3, 3 / 4, np.nan])
    np.testing.assert_allclose(found["dice"], [(2 / 3 + 6 / 7) / 2, 4 / 5, 6 / 7, np.nan])
    np.testing.assert_allclose(found["sensitivity"], [(1 / 2 + 3 / 4) / 2, 1, 3 / 4, np.nan])
    np.testing.assert_allclose(found["accuracy"], [(3 / 4 + 3 / 4) / 2, 3 / 4, 3 / 4, np.nan])
    np.testing.assert_allclose(found["specificity"], [1, 1 / 2, np.nan, np.nan])  # all of it is class 2
    np.testing.assert_allclose(found["e_measure"][2], 3 / 4)  # nu of a full truth
    by_set = means.of_set()
    assert by_set["jaccard"] == pytest.approx((5 / 8 + 2 / 3 + 3 / 4) / 3)
    assert by_set["specificity"] == pytest.approx(3 / 4)


def test_small_pictures_weigh_as_much_as_large_ones():
    """Set-wide the large one hides the small one."""
    large, small = np.array([[0, 0, 0], [0, 990, 0]]), np.array([[0, 0, 0], [10, 0, 0]])
    means = pictures.Means(2, 0.65)
    means.add(large)
    means.add(small)
    assert means.of_classes()[pictures.COLUMNS.index("jaccard"), 1] == 0.5
    assert metrics.iou(*metrics.counts(large + small))[1] == 0.99


def test_no_picture_no_mean():
    assert pictures.Means(3, 0.65).of_set() == {}


def test_seeds_by_hand():
    """Of 100 pixels 70 are decided, 56 rightly."""
    table = np.array([[40, 9, 20], [5, 16, 10]])
    wanted = {"decided": 0.7, "decided_accuracy": 0.8, "correct": 0.56, "wrong": 0.14}
    assert metrics.decisions(table) == {name: pytest.approx(value) for name, value in wanted.items()}


def test_seeds_that_decide_nothing():
    assert set(metrics.decisions(np.array([[0, 0, 7], [0, 0, 3]])).values()) == {0}


def test_without_unknown_pixels_accuracy_is_that_of_the_pixels():
    table = np.array([[40, 9, 0], [5, 16, 0]])
    found = metrics.decisions(table)
    assert found["decided_accuracy"] == found["correct"] == pytest.approx(metrics.pixel_accuracy(table))
    assert found["decided"] == 1


def test_a_class_of_one_pixel_and_a_picture_of_one():
    one_true = pictures.scores(np.array([[3, 0, 0], [0, 1, 0]]), 0.65)
    assert one_true[:, 1].tolist() == [1] * len(pictures.COLUMNS)
    one_other = dict(
        zip(pictures.COLUMNS, pictures.scores(np.array([[1, 0, 0], [0, 3, 0]]), 0.65)[:, 1], strict=True)
    )
    assert one_other["specificity"] == 1
    assert metrics.e_measure(*_every(np.array([[0, 0, 0], [0, 1, 0]])))[1] == 1


def test_the_e_measure_of_as_many_right_as_wrong_negatives():
    truth, result = np.array([0.0, 0, 1, 1, 1]), np.array([0.0, 1, 1, 1, 0])  # FP = TN
    assert metrics.e_measure(*_every(_table(truth, result)))[1] == pytest.approx(_e_by_pixels(truth, result))
