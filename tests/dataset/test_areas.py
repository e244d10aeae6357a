import numpy as np
import pytest
from matplotlib.path import Path as Outline

from stages.dataset.areas import CocoRuns, CvatRuns, Ellipse, Polygons, Stamp


def centres(width: int, height: int) -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), -1).reshape(-1, 2)


def test_a_polygon_holds_the_pixels_whose_centres_matplotlib_finds_in_it() -> None:
    """Star-shaped outlines, which do not cross themselves, some of them over the picture's edges."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
        angles[-1] = angles[0] + 5.9  # no gap wider than half a turn
        radii = rng.uniform(3, 22, 9)
        ring = np.stack([20 + radii * np.cos(angles), 12 + radii * np.sin(angles)], -1)
        found = Polygons((tuple(map(tuple, ring.tolist())),)).pixels(40, 25)
        assert np.array_equal(found.ravel(), Outline(ring).contains_points(centres(40, 25)))
        assert found.any()


def test_polygons_that_share_an_edge_part_the_picture() -> None:
    """The diagonal goes through centres: each of them is of one side alone."""
    upper = Polygons((((0, 0), (8, 0), (8, 8)),)).pixels(8, 8)
    lower = Polygons((((0, 0), (8, 8), (0, 8)),)).pixels(8, 8)
    assert (upper ^ lower).all()


def test_rings_are_joined_and_a_crossing_is_even_odd() -> None:
    square = ((0, 0), (4, 0), (4, 4), (0, 4))
    moved = tuple((x + 2, y) for x, y in square)
    assert Polygons((square, moved)).pixels(8, 4).sum() == 24
    twice = (*square, *square)
    assert not Polygons((twice,)).pixels(8, 4).any()


@pytest.mark.parametrize("ring", [(), ((1, 1),), ((1, 1), (5, 5)), ((1, 1), (5, 1), (3, 1)), ((2, 2),) * 4])
def test_outlines_without_an_area_hold_nothing(ring) -> None:
    assert not Polygons((ring,)).pixels(8, 8).any()


def test_an_ellipse_is_the_one_of_the_formula() -> None:
    found = Ellipse((10, 8), (6, 3)).pixels(20, 16)
    assert [found[row].sum() for row in (4, 5, 7, 10, 11)] == [0, 6, 12, 6, 0]
    circle = Ellipse((10, 8), (5, 5)).pixels(20, 16)
    inside = ((centres(20, 16) - (10, 8)) ** 2).sum(1) <= 25
    assert np.array_equal(circle.ravel(), inside)
    turned = Ellipse((10, 8), (6, 3), 90).pixels(20, 16)
    assert np.array_equal(turned, Ellipse((10, 8), (3, 6)).pixels(20, 16))
    slanted = Ellipse((10, 8), (8, 3), 30).pixels(20, 16)  # clockwise: down on the right
    x, y = (centres(20, 16) - (10, 8)).T
    upright = (x + 1j * y) * np.exp(-1j * np.pi / 6)
    inside = (upright.real / 8) ** 2 + (upright.imag / 3) ** 2 <= 1
    assert np.array_equal(slanted.ravel(), inside) and slanted[11, 15] and not slanted[5, 15]


def test_areas_that_do_not_fit_their_picture() -> None:
    with pytest.raises(ValueError, match="its RLE is of 3x2 pixels, not 2x3"):
        CocoRuns((2, 3), (6,)).pixels(2, 3)
    with pytest.raises(ValueError, match=r"its mask of 2x1 at 7,0 leaves the picture of 8x8"):
        CvatRuns((7, 0, 2, 1), (0, 2)).pixels(8, 8)
    with pytest.raises(ValueError, match="its mask is no readable PNG"):
        Stamp(0, 0, b"PNG").pixels(8, 8)
