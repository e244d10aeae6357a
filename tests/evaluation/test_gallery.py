import io

import numpy as np
import pytest
from PIL import Image

from stages.evaluation import gallery
from stages.evaluation.colours import HATCH, class_colours
from stages.evaluation.heat_map import heat_map

CLASSES = ("background", "cat", "dog")


def _row(name, size=(48, 64), scored=True):
    rng = np.random.default_rng(len(name))
    picture = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    result, truth = (rng.choice([0, 1, 2, 255], size).astype(np.uint8) for _ in range(2))
    return gallery.Row(name, picture, result, truth if scored else None)


def _open(png):
    return Image.open(io.BytesIO(png))


def test_choice_is_even_sorted_and_within_the_set():
    ids = [f"{i:03d}" for i in range(100)]
    assert gallery.choose(ids[::-1], 4) == ["012", "037", "062", "087"]
    assert gallery.choose(ids[:3], 8) == ids[:3]
    assert gallery.choose([], 8) == []
    for number in range(1, 101):
        assert len(set(gallery.choose(ids, number))) == number


def test_error_colours():
    truth = np.array([[0, 1, 1, 1, 0, 255, 1]], np.uint8)
    result = np.array([[1, 0, 2, 255, 255, 2, 1]], np.uint8)
    shown = gallery.errors(np.zeros((1, 7, 3), np.uint8), truth, result)[0]
    colours = [gallery.OVER, gallery.MISSED, gallery.WRONG, gallery.UNDECIDED, gallery.UNDECIDED]
    np.testing.assert_array_equal(shown[:5], (0.8 * np.array(colours)).astype(np.uint8))
    assert tuple(shown[5].tolist()) in (gallery.VOID, HATCH)
    np.testing.assert_array_equal(shown[6], 0)  # right: the (black) picture


def test_labels_have_an_outline_and_unknown_ones_are_hatched():
    labels = np.zeros((12, 12), np.uint8)
    labels[:, 6:], labels[:6, :3] = 2, 255
    shown = gallery.overlay(np.full((12, 12, 3), 100, np.uint8), labels)
    assert shown[:, 5].min() == 255  # where the background meets class 2
    np.testing.assert_array_equal(shown[8, 9], 20 + (0.8 * class_colours()[2]).astype(int))
    assert {tuple(pixel) for pixel in shown[:5, :2].reshape(-1, 3).tolist()} == {gallery.VOID, HATCH}
    np.testing.assert_array_equal(shown[8, 2], 45)  # the background is the picture


def test_right_pixels_are_the_grey_picture():
    picture = np.full((2, 2, 3), 200, np.uint8)
    labels = np.array([[0, 0], [1, 1]], np.uint8)
    np.testing.assert_array_equal(gallery.errors(picture, labels, labels)[..., 0], [[80, 80], [150, 150]])


def test_sheet_has_a_row_per_picture_and_four_columns():
    one = _open(gallery.sheet("seeds", [_row("a")], CLASSES))
    three = _open(gallery.sheet("seeds", [_row("a"), _row("b"), _row("c")], CLASSES))
    assert one.mode == "RGB"
    assert one.width == three.width == 2 * gallery.MARGIN + 4 * gallery.CELL + 3 * gallery.GAP
    high = gallery.CELL * 48 // 64
    assert three.height - one.height == 2 * (high + gallery.CAPTION + gallery.GAP)


@pytest.mark.parametrize("size", [(1, 300), (300, 1), (500, 20)])
def test_no_cell_is_larger_than_allowed(size):
    sheet = _open(gallery.sheet("seeds", [_row("a", size)], CLASSES))
    assert sheet.width <= 2 * gallery.MARGIN + 4 * gallery.CELL + 3 * gallery.GAP


def test_without_truth_there_are_two_columns():
    sheet = _open(gallery.sheet("crf", [_row("a", scored=False)], CLASSES))
    assert sheet.width == 2 * gallery.MARGIN + 2 * gallery.CELL + gallery.GAP


def test_same_rows_same_bytes():
    rows = [_row("a"), _row("b", (70, 30))]
    assert gallery.sheet("t", rows, CLASSES) == gallery.sheet("t", rows, CLASSES)


def test_an_empty_sheet_is_a_picture():
    assert _open(gallery.sheet("seeds", [], CLASSES)).width > 0


@pytest.mark.parametrize("number", [2, 21, 81])
def test_heat_map_of_any_number_of_classes(number):
    table = np.eye(number, number + 1, dtype=np.int64)
    table[0] = 0  # a class without a pixel
    picture = _open(heat_map("seeds: confusion", table, [f"class {i}" for i in range(number)]))
    assert 100 < picture.width < 1500
