"""Boxes, points and strokes over a picture, pixel by pixel."""

import numpy as np

from stages.common.annotations import Box, Point
from stages.common.drawing.annotated import with_boxes, with_points, with_strokes
from stages.common.drawing.colours import colour

PICTURE = np.full((20, 30, 3), 100, np.uint8)


def test_a_box_is_a_rim_of_two_pixels_inside_of_it():
    shown = with_boxes(PICTURE, [Box(1, 2, 3, 4, 13, 11)])
    changed = (shown != PICTURE).any(2)
    assert changed.sum() == 10 * 7 - 6 * 3
    assert changed[4:11, 3:13].sum() == changed.sum() and not changed[6:9, 5:11].any()
    assert {tuple(pixel) for pixel in shown[changed].tolist()} == {colour(2)}


def test_the_smaller_box_lies_on_top_and_a_thin_one_is_full():
    small, large = Box(1, 1, 0, 0, 3, 3), Box(2, 2, 0, 0, 30, 20)
    for order in ([small, large], [large, small]):
        assert tuple(with_boxes(PICTURE, order)[1, 1]) == colour(1)
    assert (with_boxes(PICTURE, [small])[:3, :3] == colour(1)).all()


def test_a_point_is_a_disc_about_its_pixel():
    shown = with_points(PICTURE, [Point(1, 3, 15, 10), Point(2, 0, 29, 19)])
    assert tuple(shown[10, 15]) == tuple(shown[10, 18]) == colour(3)
    assert tuple(shown[10, 19]) == (0, 0, 0) and tuple(shown[10, 20]) == (100, 100, 100)
    assert tuple(shown[19, 29]) == (255, 255, 255)


def test_strokes_in_their_colours_on_a_faded_picture():
    marks = np.full((20, 30), 255, np.uint8)
    marks[0], marks[1] = 0, 2
    shown = with_strokes(PICTURE, marks)
    assert (shown[0] == 255).all() and (shown[1] == colour(2)).all() and (shown[2:] == 55).all()
    assert (PICTURE == 100).all()
