"""Clutter: bodies of no class, behind the objects."""

import cv2
import numpy as np

from stages.generate.clutter import strew
from tests.generate.test_scene import deep, scenes


def test_clutter_changes_ground_alone() -> None:
    for plain, full in zip(scenes(12), scenes(12, clutter=4), strict=True):
        assert np.array_equal(plain.instances, full.instances) and plain.classes == full.classes
        assert np.array_equal(plain.evidence, full.evidence)
        new = (plain.picture != full.picture).any(-1)
        assert new[plain.instances == 0].mean() > 0.15 and not new[deep(plain)].any()


def test_things_are_as_large_as_bodies_and_one_lies_on_another() -> None:
    """The smallest body is an ellipse of half-axes 26 and 13, or a polygon within it; the largest is a box
    of 84 by 63. A picture's edge may cut three quarters of it away, at a corner. The shadow is above 190."""
    white = np.full((128, 128, 3), 255, np.float32)
    for seed in range(12):
        shares = []
        for count in (0, 1, 2, 6):
            found = strew(np.random.default_rng(seed), white, count)
            shares.append((found < 190).any(-1).mean())
        assert shares[0] == 0 and shares[1] <= shares[2] <= shares[3]
        assert np.pi * 26 * 13 / 4 * 0.5 < shares[1] * 128**2 < 1.15 * 84 * 63


def test_things_lie_anywhere() -> None:
    white = np.full((64, 64, 3), 255, np.float32)
    found = [(strew(np.random.default_rng(seed), white, 1) < 190).any(-1) for seed in range(60)]
    share = np.mean(found, axis=0).reshape(2, 32, 2, 32).mean((1, 3))
    assert share.min() > 0.6 * share.max()


def test_things_bear_no_mark() -> None:
    """Inside of one, the colour changes by its shading alone: less than a grey value from pixel to pixel."""
    white = np.full((128, 128, 3), 255, np.float32)
    for seed in range(6):
        found = strew(np.random.default_rng(seed), white, 1)
        inside = cv2.erode((found < 190).any(-1).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        steps = np.abs(np.diff(found, axis=1)).max(-1)[inside[:, 1:]]
        assert len(steps) and steps.max() < 1
