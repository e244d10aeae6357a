"""Edges of labels by hand and by brute force."""

import numpy as np

from stages.common.edges import edges


def test_a_square_by_hand() -> None:
    """A 3x3 square: its 8 outer pixels and the 16 around it."""
    labels = np.zeros((9, 9), np.uint8)
    labels[3:6, 3:6] = 1
    found = edges(labels)
    assert found.sum() == 24 and not found[4, 4] and found[2:7, 2:7].sum() == 24


def test_by_brute_force() -> None:
    """A pixel is on an edge if not all its neighbours inside the picture have its label; 255 is one."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        labels = rng.choice([0, 1, 2, 255], (6, 7), p=[0.6, 0.25, 0.1, 0.05]).astype(np.uint8)
        found = edges(labels)
        for y, x in np.ndindex(labels.shape):
            around = labels[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
            assert found[y, x] == (around != labels[y, x]).any()


def test_a_plain_picture_has_none() -> None:
    assert not edges(np.full((3, 1), 255, np.uint8)).any()
