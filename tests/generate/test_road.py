"""A road: with one class alone, under everything, and ground in the masks."""

import numpy as np

from stages.generate.road import ASPHALT, pave
from tests.generate.test_scene import deep, scenes


def changed(one, other) -> np.ndarray:
    return np.abs(one.picture.astype(float) - other.picture).max(-1) > 15


def test_a_road_is_with_the_first_class_alone_and_changes_ground_alone() -> None:
    roads = 0
    for plain, road in zip(scenes(36), scenes(36, road=1), strict=True):
        assert np.array_equal(plain.instances, road.instances) and plain.classes == road.classes
        paved = changed(plain, road)
        assert paved.any() == (0 in plain.classes)
        assert not (paved & deep(plain)).any()
        roads += paved.any()
    assert 8 < roads < 24


def test_half_of_the_pictures_have_it_and_it_is_the_same_road() -> None:
    found = []
    for plain, half, whole in zip(*(scenes(48, size=64, road=share) for share in (0, 0.5, 1)), strict=True):
        if 0 in plain.classes:
            found.append(not np.array_equal(plain.picture, half.picture))
            assert np.array_equal(half.picture, (whole if found[-1] else plain).picture)
    assert 0.25 < np.mean(found) < 0.75


def test_a_road_goes_through_the_body_along_its_longer_axis() -> None:
    """At 45 degrees through (40, 60): on the line x - y = -20, up to 15 to 19 pixels beside it."""
    picture = np.full((128, 128, 3), 255, np.float32)
    paved = pave(np.random.default_rng(0), picture, np.array([40.0, 60.0]), np.pi / 4)
    y, x = np.mgrid[:128, :128]
    off = np.abs(x - y + 20) / 2**0.5
    assert (paved[off > 20] == 255).all() and (paved[off < 14] < 255).all()
    tar = paved[(off > 4) & (off < 9)]  # between the lines
    np.testing.assert_allclose(tar.mean(0), ASPHALT, atol=2)
    assert (paved[(off > 11) & (off < 17), 0] > 190).sum() > 100  # white lines, not on its edge
    middle = paved[off < 0.5, 0]
    assert 0.3 < (middle > 170).mean() < 0.7 and 0.3 < (middle < 130).mean() < 0.7  # dashes and gaps


def test_a_road_scales_with_the_picture() -> None:
    for size in (64, 256):
        white = np.full((size, size, 3), 255, np.float32)
        paved = pave(np.random.default_rng(0), white, np.array([size / 2, size / 2]), 0.0)
        assert 2 * 15 / 128 - 0.02 < (paved[..., 0] < 255).mean() < 2 * 19 / 128 + 0.02
