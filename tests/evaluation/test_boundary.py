"""Bands by dilation and by hand, against the one pass over the rings."""

import cv2
import numpy as np
import pytest

from stages.evaluation import boundary, metrics

WIDTHS = (1, 2, 3, 5, 10, 20, 40)
CLASSES = 4


def _square(size=9, low=3, high=6):
    labels = np.zeros((size, size), np.uint8)
    labels[low:high, low:high] = 1
    return labels


def _blobs(rng, size=(37, 52), void=True):
    """Discs of three classes, and a few voids: patches, and lines along the objects."""
    labels = np.zeros(size, np.uint8)
    for label in (1, 2, 3, 1):
        at = rng.integers(0, size[1]), rng.integers(0, size[0])
        cv2.circle(labels, (int(at[0]), int(at[1])), int(rng.integers(4, 12)), label, -1)
        if void:
            cv2.circle(labels, (int(at[0]), int(at[1])), int(rng.integers(4, 12)), 255, 1)
    return labels


def _edges_by_pixels(labels):
    """A pixel is on an edge if not all its neighbours inside the picture have its label."""
    height, width = labels.shape
    found = np.zeros(labels.shape, bool)
    for y in range(height):
        for x in range(width):
            around = labels[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            found[y, x] = (around != labels[y, x]).any()
    return found


def _band_by_dilation(truth, width, void):
    edge = _edges_by_pixels(truth) if void == "label" else truth == 255
    side = 2 * width - 1 if void == "label" else 2 * width + 1
    return cv2.dilate(edge.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def _table(truth, result, where):
    return metrics.confusion(np.where(where, truth, 255).astype(np.uint8), result, CLASSES)


def test_a_square_by_hand():
    """A 3x3 square: its 8 outer pixels and the 16 around it are the edge, its middle is one pixel from it."""
    found = boundary.rings(_square(), (1, 2), "label")
    assert (found == 0).sum() == 24
    assert (found == 1).sum() == 1 + (49 - 25)  # the middle and the frame of 7x7
    assert (found == 2).sum() == 81 - 49


def _count(truth, result, classes, widths, void):
    ring = boundary.rings(truth, widths, void)
    return metrics.confusions(truth, result, ring, len(widths) + 1, classes)


@pytest.mark.parametrize("void", ["label", "trimap"])
def test_equals_a_dilation_for_every_width(void):
    rng = np.random.default_rng(0)
    for _ in range(4):
        truth, result = _blobs(rng), _blobs(rng)
        by_ring = _count(truth, result, CLASSES, WIDTHS, void)
        inside, outside = boundary.bands(by_ring), boundary.interiors(by_ring)
        for place, width in enumerate(WIDTHS):
            band = _band_by_dilation(truth, width, void)
            np.testing.assert_array_equal(inside[place], _table(truth, result, band))
            np.testing.assert_array_equal(outside[place], _table(truth, result, ~band))


def test_band_and_interior_are_the_whole():
    rng = np.random.default_rng(1)
    truth, result = _blobs(rng), _blobs(rng)
    by_ring = _count(truth, result, CLASSES, WIDTHS, "label")
    whole = metrics.confusion(truth, result, CLASSES)
    for band, interior in zip(boundary.bands(by_ring), boundary.interiors(by_ring), strict=True):
        np.testing.assert_array_equal(band + interior, whole)


def test_a_width_beyond_the_picture_is_the_whole():
    by_ring = _count(_square(), _square(9, 2, 5), CLASSES, (1, 3, 9), "label")
    assert by_ring[-1].sum() == 0
    np.testing.assert_array_equal(
        boundary.bands(by_ring)[-1], metrics.confusion(_square(), _square(9, 2, 5), CLASSES)
    )


def test_a_perfect_result_is_perfect_at_each_width():
    truth = _blobs(np.random.default_rng(2))
    by_ring = _count(truth, truth, CLASSES, WIDTHS, "label")
    for table in boundary.bands(by_ring):
        assert metrics.means(table)["miou"] == 1


def test_a_result_moved_by_a_pixel_hurts_the_band_alone():
    truth, result = _square(40, 10, 30), np.roll(_square(40, 10, 30), 1, 0)
    by_ring = _count(truth, result, 2, (1, 2, 3), "label")
    narrow, wide = (metrics.means(boundary.bands(by_ring)[place])["miou"] for place in (0, 2))
    assert narrow < wide < 1
    assert metrics.means(boundary.interiors(by_ring)[0])["miou"] == 1


def test_void_is_a_label_when_edges_are_sought_and_no_pixel():
    truth = np.zeros((5, 7), np.uint8)
    truth[:, 3] = 255
    by_ring = _count(truth, truth, 1, (1, 2), "label")
    assert by_ring.sum((1, 2)).tolist() == [10, 10, 10]  # columns 2 and 4, 1 and 5, 0 and 6


def test_of_a_trimap_the_boundary_is_the_void_and_no_other_edge():
    truth = np.zeros((5, 9), np.uint8)
    truth[:, :2], truth[:, 5] = 1, 255  # an edge of two classes between columns 1 and 2, which is none here
    by_ring = _count(truth, truth, 2, (1, 2), "trimap")
    assert by_ring.sum((1, 2)).tolist() == [10, 10, 20]  # columns 4 and 6, 3 and 7, 0 to 2 and 8


@pytest.mark.parametrize("void", ["label", "trimap"])
def test_a_picture_without_a_boundary_is_interior(void):
    plain = np.zeros((300, 4), np.uint8)
    assert boundary.rings(plain, (1, 255), void).min() == 2


def test_what_lies_far_is_far_however_far():
    """Distances above what uint8 holds."""
    truth = np.zeros((1, 700), np.uint8)
    truth[0, 0] = 1
    found = boundary.rings(truth, (1, 255), "label")
    assert (found == 0).sum() == 2 and (found == 1).sum() == 254  # 2 and more pixels from the edge
    assert (found[0, 256:] == 2).all()


def test_another_size_or_label_is_an_error():
    with pytest.raises(ValueError, match="the truth is 9x9, the result 5x5"):
        _count(_square(), np.zeros((5, 5), np.uint8), 2, (1,), "label")
    with pytest.raises(ValueError, match="the result holds 7"):
        _count(_square(), np.full((9, 9), 7, np.uint8), 2, (1,), "label")
