import io

import numpy as np
from PIL import Image

from stages.commands.predict.overlays import key, outlines, overlay_jpeg, tinted


def test_a_tint_of_the_class_where_there_is_one():
    """Class 1 is (75, 105, 255): 0.34 of the picture and 0.6 of that; the background is 0.85 of it."""
    picture = np.full((1, 2, 3), 100, np.uint8)
    found = tinted(picture, np.array([[0, 1]], np.uint8))
    assert found.tolist() == [[[85, 85, 85], [79, 97, 187]]]


def test_outlines_lie_where_two_labels_meet():
    labels = np.array([[0, 0, 2], [0, 1, 2]], np.uint8)
    assert outlines(labels).astype(int).tolist() == [[0, 1, 0], [1, 1, 0]]


def test_the_key_grows_by_lines_and_the_picture_keeps_its_place():
    entries = [(1, "cat 10.0 %"), (2, "dog 20.0 %"), (3, "a class of a long name 30.0 %")]
    one, many = key(entries, 800), key(entries, 90)
    assert one.shape == (40, 800, 3) and many.shape == (3 * 22, 90, 3)
    picture = np.full((300, 90, 3), 200, np.uint8)  # more rows than are drawn at a time
    labels = np.zeros((300, 90), np.uint8)
    labels[:, :45] = 1
    drawn = np.asarray(Image.open(io.BytesIO(overlay_jpeg(picture, labels, entries))))
    assert drawn.shape == (300 + 66, 90, 3)
    assert abs(drawn[150, 70].astype(int) - 170).max() < 8  # background
    assert abs(drawn[280, 20].astype(int) - [113, 131, 221]).max() < 12  # class 1
    assert drawn[150, 44].min() > 200  # the outline
