"""Numbers worked out by hand, and torchmetrics as the second implementation."""

import numpy as np
import pytest

from stages.evaluation import metrics

# truth (255 is void)   result (255 is unknown)
#   0   0   1             0   1   1
#   0   1   1             0   1   0
#   2   2  255            2  255  1
TRUTH = np.array([[0, 0, 1], [0, 1, 1], [2, 2, 255]], np.uint8)
RESULT = np.array([[0, 1, 1], [0, 1, 0], [2, 255, 1]], np.uint8)
TABLE = np.array([[2, 1, 0, 0, 0], [1, 2, 0, 0, 0], [0, 0, 1, 0, 1], [0, 0, 0, 0, 0]])  # class 3 nowhere


def test_confusion_by_hand():
    table = metrics.confusion(TRUTH, RESULT, 4)
    assert table.dtype == np.int64
    np.testing.assert_array_equal(table, TABLE)


def test_metrics_by_hand():
    tp, fp, fn = metrics.counts(TABLE)
    np.testing.assert_array_equal([tp, fp, fn], [[2, 2, 1, 0], [1, 1, 0, 0], [1, 1, 1, 0]])
    np.testing.assert_allclose(metrics.iou(tp, fp, fn), [2 / 4, 2 / 4, 1 / 2, 0])
    means = metrics.means(TABLE)
    assert means["miou"] == pytest.approx(0.5)  # of three classes: the fourth does not occur
    assert means["precision"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert means["recall"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 2) / 3)
    assert means["over_segmentation"] == pytest.approx((1 / 4 + 1 / 4 + 0) / 3)
    assert means["under_segmentation"] == pytest.approx((1 / 4 + 1 / 4 + 1 / 2) / 3)
    assert metrics.pixel_accuracy(TABLE) == pytest.approx(5 / 8)  # the void pixel is not one of the 8


def test_metrics_of_one_class_by_hand():
    tp, fp, fn = np.array([5, 0]), np.array([2, 0]), np.array([3, 0])
    wanted = {"miou": 5 / 10, "precision": 5 / 7, "recall": 5 / 8, "over_segmentation": 2 / 10,
              "under_segmentation": 3 / 10}  # fmt: skip
    assert list(wanted) == list(metrics.METRICS)
    for name, metric in metrics.METRICS.items():
        np.testing.assert_allclose(metric(tp, fp, fn), [wanted[name], 0])  # 0 / 0 is 0


def test_a_class_of_one_pixel_occurs():
    found = metrics.means(np.array([[1, 0, 0], [1, 0, 0]]))  # background 1 of 2, class 1 0 of 1
    assert found["miou"] == 1 / 4 and found["recall"] == 1 / 2


def test_unknown_is_wrong_and_never_background():
    truth = np.array([[0, 0, 1, 1]], np.uint8)
    undecided = metrics.confusion(truth, np.array([[0, 255, 1, 255]], np.uint8), 2)
    tp, fp, fn = metrics.counts(undecided)
    np.testing.assert_array_equal(tp, [1, 1])
    np.testing.assert_array_equal(fp, [0, 0])
    np.testing.assert_array_equal(fn, [1, 1])
    assert metrics.means(undecided)["miou"] == pytest.approx(0.5)


def test_over_under_and_iou_sum_to_one():
    means = metrics.means(TABLE)
    total = means["miou"] + means["over_segmentation"] + means["under_segmentation"]
    assert total == pytest.approx(1)


def test_no_pixel_no_mean():
    empty = np.zeros((3, 4), np.int64)
    assert np.isnan(metrics.means(empty)["miou"])
    assert np.isnan(metrics.pixel_accuracy(empty))


def test_counts_do_not_overflow_32_bits():
    table = np.full((2, 3), 2**33, np.int64)
    assert metrics.means(table)["miou"] == pytest.approx(1 / 4)


@pytest.mark.parametrize("what, truth, result", [("truth", 7, 0), ("result", 0, 7), ("result", 255, 254)])
def test_a_label_that_is_no_class(what, truth, result):
    with pytest.raises(ValueError, match=f"the {what} holds {max(truth, result) if truth != 255 else 254}"):
        metrics.confusion(np.array([[truth]], np.uint8), np.array([[result]], np.uint8), 4)


def test_another_size():
    with pytest.raises(ValueError, match="the truth is 3x2, the result 2x3"):
        metrics.confusion(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), 4)


def test_means_carry_leading_dimensions():
    stack = np.stack([TABLE, TABLE[::-1] * 3, np.zeros_like(TABLE) + 1])
    means = metrics.means(stack)
    for row, table in enumerate(stack):
        for name, value in metrics.means(table).items():
            assert means[name][row] == value
        assert metrics.pixel_accuracy(stack)[row] == metrics.pixel_accuracy(table)
    assert len(set(means["miou"].tolist())) == 3


def test_equals_torchmetrics():
    torch = pytest.importorskip("torch")
    classification = pytest.importorskip("torchmetrics.functional.classification")
    rng = np.random.default_rng(0)
    truth = rng.choice([0, 1, 2, 4, 255], (40, 30)).astype(np.uint8)  # class 3 is in the result only,
    result = rng.choice([0, 1, 3, 4], (40, 30)).astype(np.uint8)  # class 2 in the truth, 5 nowhere
    table = metrics.confusion(truth, result, 6)
    means = metrics.means(table)
    given = (torch.from_numpy(result).long().ravel(), torch.from_numpy(truth).long().ravel())
    options = {"num_classes": 6, "ignore_index": 255}
    theirs = {
        "miou": classification.multiclass_jaccard_index(*given, average="macro", **options),
        "precision": classification.multiclass_precision(*given, average="macro", **options),
        "recall": classification.multiclass_recall(*given, average="macro", **options),
    }
    for name, value in theirs.items():
        assert means[name] == pytest.approx(float(value), abs=1e-6), name
    each = classification.multiclass_jaccard_index(*given, average="none", **options)
    np.testing.assert_allclose(metrics.iou(*metrics.counts(table)), each.numpy(), atol=1e-6)
    accuracy = classification.multiclass_accuracy(*given, average="micro", **options)
    assert metrics.pixel_accuracy(table) == pytest.approx(float(accuracy), abs=1e-6)


def test_a_table_for_each_part_by_hand():
    """The first two rows of TRUTH and RESULT are part 0, the last is part 2; part 1 is nowhere."""
    part = np.array([[0] * 3, [0] * 3, [2] * 3], np.uint8)
    found = metrics.confusions(TRUTH, RESULT, part, 3, 4)
    last = np.zeros((4, 5), np.int64)
    last[2, 2] = last[2, 4] = 1
    np.testing.assert_array_equal(found, [TABLE - last, 0 * TABLE, last])
