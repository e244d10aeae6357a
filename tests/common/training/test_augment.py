import numpy as np
import pytest

from stages.common.training.augment import augment, fill_colour, jitter, normalise
from stages.common.training.params import Augment

FILL = np.uint8([7, 8, 9])


def params(**changes) -> Augment:
    values = {"longest_side": None, "scale": None, "crop": 16, "flip": 0.0, "jitter": [0.0] * 4}
    return Augment.model_validate({**values, **changes})


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("shape", [(40, 30), (8, 40), (1, 5), (16, 16)])
def test_window_is_filled_where_the_picture_ends(shape):
    picture = np.full((*shape, 3), 200, np.uint8)
    view, mask = augment(picture, np.ones(shape, np.uint8), params(), FILL, rng())
    assert view.shape == (16, 16, 3) and mask.shape == (16, 16)
    inside = mask == 1
    assert inside.sum() == min(16, shape[0]) * min(16, shape[1])
    assert (view[inside] == 200).all() and (view[~inside] == FILL).all() and (mask[~inside] == 255).all()


def test_mask_moves_with_the_picture():
    picture = rng().integers(0, 255, (50, 60, 3), np.uint8)
    mask = picture[..., 0] // 128
    for seed in range(5):
        view, moved = augment(picture, mask, params(flip=0.5), FILL, rng(seed))
        assert np.array_equal(view[..., 0] // 128, moved)


def test_longest_side_and_scale():
    picture = np.full((100, 50, 3), 255, np.uint8)
    for change in ({"longest_side": [8, 8]}, {"scale": [0.08, 0.08]}):
        _, mask = augment(picture, np.ones((100, 50), np.uint8), params(**change), FILL, rng())
        assert (mask == 1).sum() == 8 * 4


def test_jitter_by_hand():
    grey = np.full((4, 4, 3), 100, np.uint8)
    assert (jitter(grey, [0.0, 0.5, 0.5, 0.4], rng()) == 100).all()  # grey has no contrast, colour or hue
    factor = 1 + 0.5 * rng().uniform(-1, 1)
    assert (jitter(grey, [0.5, 0.0, 0.0, 0.0], rng()) == round(100 * factor)).all()


def test_fill_normalises_to_about_zero():
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    x = normalise(np.broadcast_to(fill_colour(mean), (2, 2, 3)), mean, std)
    assert x.shape == (3, 2, 2) and np.abs(x).max() < 0.01


def test_a_range_is_ordered_and_one_of_two():
    with pytest.raises(ValueError, match="smallest, largest"):
        params(scale=[2.0, 1.0])
    with pytest.raises(ValueError, match="not both"):
        params(scale=[1.0, 1.0], longest_side=[8, 8])
