import numpy as np
import pytest

from stages.saliency import sign

SEEDS = np.array([[0.9, 0.4, 0.2], [0.0, 0.04, 0.05]], np.float32)
VALUES = np.array([[1.0, 2.0, 4.0], [-8.0, -16.0, 32.0]], np.float32)


def test_sums_are_of_the_sure_pixels_and_of_the_ground() -> None:
    assert sign.sums(VALUES, SEEDS, 0.4, 0.05).tolist() == [3, 2, -24, 2]


def test_z_is_brought_to_the_size_of_the_seeds() -> None:
    found = sign.sums(np.float32([[1.0, 5.0]]), np.ones((4, 8), np.float32), 0.4, 0.05)
    assert found.tolist() == [pytest.approx(3 * 32), 32, 0, 0]  # half of it on each side of the middle


def test_the_sign_makes_the_sure_side_the_higher_one() -> None:
    total = sign.sums(VALUES, SEEDS, 0.4, 0.05)
    assert sign.settle(total) == (1, 13.5)
    assert sign.settle(sign.sums(-VALUES, SEEDS, 0.4, 0.05)) == (-1, 13.5)


def test_pictures_are_weighted_by_their_pixels() -> None:
    total = np.array([10.0, 1, 0, 1]) + np.array([0.0, 4, 5, 9])
    assert sign.settle(total) == (1, 1.5)


@pytest.mark.parametrize(("total", "key"), [([0.0, 0, 5, 5], "foreground"), ([5.0, 5, 0, 0], "background")])
def test_without_one_side_nothing_is_settled(total: list[float], key: str) -> None:
    with pytest.raises(ValueError, match=f"change delta_{key}"):
        sign.settle(np.array(total))
