import numpy as np
import pytest

from stages.commands.show.heat import boundaries, heat, heat_over


def test_boundaries_by_hand():
    """Three cells in a row: affinity 0.8 of the first two, 0.2 of the last two."""
    affinities = np.array([[[0.8, 0.2, 0.9]]], np.float16)  # the last one has no neighbour: it must not count
    offsets = np.array([[0, 1]])
    np.testing.assert_allclose(boundaries(affinities, offsets, 1), [[0.2, 0.5, 0.8]], atol=1e-3)
    np.testing.assert_allclose(boundaries(affinities, offsets, 2), [[0.36, 0.66, 0.96]], atol=1e-3)


def test_colours_rise_with_the_values():
    drawing = heat(np.array([[-1.0, 0, 0.5, 1, 2]]), (1, 5))
    light = drawing.astype(int).sum(2)[0]
    assert light[0] == light[1] < light[2] < light[3] == light[4]
    assert heat(np.zeros((2, 3)), (8, 9)).shape == (8, 9, 3)


@pytest.mark.parametrize("value, share", [(0.0, 0.25), (1.0, 0.8)])
def test_a_picture_shows_through_where_values_are_low(value: float, share: float):
    picture = np.full((1, 1, 3), 200, np.uint8)
    colour = heat(np.array([[value]]), (1, 1)).astype(float)
    wanted = (1 - share) * 200 + share * colour
    np.testing.assert_allclose(heat_over(picture, np.array([[value]])), wanted, atol=1)
