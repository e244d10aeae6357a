"""The curve from one pass against labelling and counting at every threshold."""

import numpy as np
import pytest

from stages.common.labels import threshold_labels
from stages.evaluation import curve, metrics

CLASSES = 6


def _picture(rng, number, bins, size=(31, 23)):
    """Random truth and maps; many values equal a threshold, or are its neighbours in float32."""
    edges = curve.thresholds(bins).astype(np.float32)
    near = np.concatenate([edges, np.nextafter(edges, np.float32(2)), np.nextafter(edges, np.float32(-1))])
    maps = rng.uniform(-0.1, 1.05, (number, *size)).astype(np.float32)
    hit = rng.random(maps.shape) < 0.7
    maps[hit] = rng.choice(near, hit.sum())
    maps[:, 0, :3] = [0.0, 1.0, -0.5]
    present = np.sort(rng.choice(np.arange(1, CLASSES), number, replace=False)).astype(np.int16)
    truth = rng.choice([0, 1, 2, 3, 4, 5, 255], size).astype(np.uint8)
    return truth, maps, present


@pytest.mark.parametrize("bins", [10, 37, 60, 100, 333, 1000])
def test_equals_one_pass_per_threshold(bins):
    rng = np.random.default_rng(bins)
    pictures = [_picture(rng, number, bins) for number in (1, 2, 3, 5)]
    histogram = curve.empty_histogram(CLASSES, bins)
    for truth, maps, present in pictures:
        histogram[:, curve.columns(present)] += curve.count(truth, maps, CLASSES, bins)
    tables = curve.tables(histogram)
    assert tables.shape == (bins, CLASSES, CLASSES + 1)
    for threshold, table in zip(curve.thresholds(bins).tolist(), tables, strict=True):
        labels = [threshold_labels(maps, present, threshold) for _, maps, present in pictures]
        wanted = sum(
            metrics.confusion(truth, result, CLASSES)
            for (truth, _, _), result in zip(pictures, labels, strict=True)
        )
        np.testing.assert_array_equal(table, wanted)


def test_thresholds_below_by_search():
    """Every threshold of every allowed number of bins, and both its neighbours in float32."""
    for bins in range(10, 1001):
        edges = curve.thresholds(bins).astype(np.float32)
        values = np.concatenate(
            [np.nextafter(edges, np.float32(-1)), edges, np.nextafter(edges, np.float32(2))]
        )
        values = np.append(values, np.array([-1, 1, 1.5], np.float32))
        wanted = np.searchsorted(edges, values, side="left")
        np.testing.assert_array_equal(curve.thresholds_below(values, bins), wanted)


def test_a_value_equal_to_the_threshold_is_background():
    histogram = curve.empty_histogram(2, 10)
    maps = np.array([[[0.3, 0.31]]], np.float32)
    histogram[:, [1]] += curve.count(np.array([[1, 1]], np.uint8), maps, 2, 10)
    found = curve.tables(histogram)[:, 1, 1]  # pixels of class 1 found at 0.0, 0.1, 0.2, ...
    np.testing.assert_array_equal(found, [2, 2, 2, 1, 0, 0, 0, 0, 0, 0])


def test_equal_maps_go_to_the_first_class():
    value, place = curve.strongest(np.array([[[0.5, 0.2]], [[0.5, 0.4]]], np.float32))
    np.testing.assert_array_equal(place, [[0, 1]])
    np.testing.assert_array_equal(value, np.array([[0.5, 0.4]], np.float32))


def test_a_picture_without_maps_is_background_at_every_threshold():
    histogram = curve.empty_histogram(3, 10)
    truth = np.array([[0, 2, 255]], np.uint8)
    none = np.array([], np.int16)
    assert curve.columns(none).tolist() == [0]
    histogram[:, curve.columns(none)] += curve.count(truth, np.zeros((0, 1, 3), np.float32), 3, 10)
    assert histogram.sum() == 2 and histogram[0, 0, 0] == histogram[2, 0, 0] == 1
    for table in curve.tables(histogram):
        np.testing.assert_array_equal(table, metrics.confusion(truth, np.zeros_like(truth), 3))


def test_best_is_the_lowest_of_equal_thresholds():
    assert curve.best(np.array([0.1, 0.4, 0.4, 0.3])) == 1
