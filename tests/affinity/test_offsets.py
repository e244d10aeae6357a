"""The half of the disc, by search over the square around it."""

import pytest

from stages.affinity.offsets import forward_offsets


@pytest.mark.parametrize(("radius", "count"), [(2, 4), (3, 12), (5, 34), (10, 152)])
def test_offsets_and_their_opposites_are_the_disc_without_its_centre(radius, count):
    half = [tuple(pair) for pair in forward_offsets(radius).tolist()]
    assert len(half) == count and half == sorted(half)  # row by row
    square = range(-radius, radius + 1)
    disc = {(dy, dx) for dy in square for dx in square if 0 < dy * dy + dx * dx < radius * radius}
    opposite = {(-dy, -dx) for dy, dx in half}
    assert {*half} | opposite == disc and not {*half} & opposite
    assert all(dy > 0 or (dy == 0 and dx > 0) for dy, dx in half)
