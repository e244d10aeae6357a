"""Semantic edges of labels unknown in places, by hand and by brute force."""

import numpy as np

from stages.segmenter.edges import distance, known_edges


def test_both_sides_of_a_boundary_and_the_border_by_hand():
    labels = np.zeros((5, 5), np.uint8)
    labels[2:, 3:] = 1
    assert known_edges(labels).tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 1, 1, 1],
        [0, 0, 1, 1, 1],
        [0, 0, 1, 1, 0],
        [0, 0, 1, 1, 0],
    ]
    labels[0, 0] = 255
    found = known_edges(labels)
    assert (found[:2, :2] == 255).all() and (found == 255).sum() == 4
    flat = known_edges(np.full((4, 4), 7, np.uint8))
    assert not flat.any() and flat.dtype == np.uint8


def test_by_brute_force():
    rng = np.random.default_rng(0)
    for _ in range(20):
        labels = rng.choice([0, 1, 2, 255], (6, 7), p=[0.5, 0.3, 0.15, 0.05]).astype(np.uint8)
        found = known_edges(labels)
        for i, j in np.ndindex(labels.shape):
            around = {int(labels[y, x]) for y in range(max(0, i - 1), min(6, i + 2))
                      for x in range(max(0, j - 1), min(7, j + 2))}  # fmt: skip
            assert found[i, j] == (255 if 255 in around else len(around) > 1)


def test_distances():
    marked = np.zeros((4, 5), bool)
    assert np.isinf(distance(marked)).all()
    marked[1, 1] = True
    y, x = np.mgrid[:4, :5]
    assert np.array_equal(distance(marked), np.sqrt(np.float32((y - 1) ** 2 + (x - 1) ** 2)))


def test_distances_to_the_last_digit_wherever_the_pixels_are():
    """OpenCV's own are not the nearest numbers, and other ones where a row begins elsewhere in memory."""
    marked = np.random.default_rng(0).random((97, 101)) < 0.001
    y, x = np.mgrid[:97, :101]
    squares = np.min([(y - v) ** 2 + (x - u) ** 2 for v, u in np.argwhere(marked)], 0)
    assert np.array_equal(distance(marked), np.sqrt(squares.astype(np.float32)))
