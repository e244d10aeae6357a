"""RandAugment: each operation against a second way to compute it, and what is drawn."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as F

from stages.common.training import rand_augment
from stages.common.training.augment import augment, jitter
from stages.common.training.params import Augment, RandAugment
from stages.common.training.rand_augment import GREY, OPERATIONS, SIDE, changed, squared

FILL = np.uint8([7, 8, 9])
TWO = RandAugment(n=2, m=10)


def picture(height: int = 30, width: int = 40) -> np.ndarray:
    return np.random.default_rng(1).integers(20, 250, (height, width, 3), np.uint8)


def params(chosen: RandAugment | None = TWO, **other) -> Augment:
    values = {"longest_side": None, "scale": None, "crop": 32, "flip": 0.5, "jitter": [0.1] * 4, **other}
    return Augment.model_validate({**values, "rand_augment": chosen})


def named(name: str, level: int, sign: int = 1, of: np.ndarray | None = None) -> np.ndarray:
    """The operation `name` of a picture."""
    (operation,) = [each for each in OPERATIONS if each.__name__ == f"_{name}"]
    image = Image.fromarray(picture() if of is None else of)
    return np.asarray(operation(image, level, sign, tuple(FILL.tolist())))


def test_there_are_fourteen_operations():
    assert len(OPERATIONS) == len({each.__name__ for each in OPERATIONS}) == 14


BY_TORCHVISION = {
    "autocontrast": lambda x, level: F.autocontrast(x),
    "equalize": lambda x, level: F.equalize(x),
    "brightness": lambda x, level: F.adjust_brightness(x, 0.05 + 0.09 * level),
    "colour": lambda x, level: F.adjust_saturation(x, 0.05 + 0.09 * level),
    "contrast": lambda x, level: F.adjust_contrast(x, 0.05 + 0.09 * level),
    "posterize": lambda x, level: F.posterize(x, {1: 4, 5: 6, 9: 7}[level]),
    "solarize": lambda x, level: F.solarize(x, {1: 231, 5: 128, 9: 26}[level]),  # 256 - 25.6 level, up
    "identity": lambda x, level: x,
}


@pytest.mark.parametrize("level", [1, 5, 9])
@pytest.mark.parametrize("name", BY_TORCHVISION)
def test_colours_equal_torchvision_s(name, level):
    x = torch.from_numpy(picture().transpose(2, 0, 1))
    wanted = BY_TORCHVISION[name](x, level).numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(named(name, level).astype(int), wanted, atol=1)
    assert name == "identity" or (named(name, level) != picture()).any()


@pytest.mark.parametrize("level", [1, 9])
def test_sharpness_is_a_blend_with_the_smoothed_picture(level):
    """Pillow's kernel: 1 around and 5 in the middle, of 13."""
    x = picture().astype(float)
    kernel = np.ones((3, 3)) + 4 * np.eye(3)[1] * np.eye(3)[1][:, None]
    inner = (
        sum(kernel[dy, dx] * x[dy : dy + 28, dx : dx + 38] for dy in range(3) for dx in range(3))
        / kernel.sum()
    )
    factor = 0.05 + 0.09 * level
    wanted = factor * x[1:-1, 1:-1] + (1 - factor) * inner
    np.testing.assert_allclose(named("sharpness", level)[1:-1, 1:-1], wanted, atol=1.5)  # rounded down, twice


@pytest.mark.parametrize("sign", [1, -1])
def test_translations_by_hand(sign):
    """Level 5 of 10 shifts by 0.15 of the side: 6 of 40 columns, 4 of 30 rows; a positive one towards 0."""
    wide, high = np.full((30, 40, 3), FILL), np.full((30, 40, 3), FILL)
    if sign > 0:
        wide[:, :-6], high[:-4] = picture()[:, 6:], picture()[4:]
    else:
        wide[:, 6:], high[4:] = picture()[:, :-6], picture()[:-4]
    np.testing.assert_array_equal(named("translate_x", 5, sign), wide)
    np.testing.assert_array_equal(named("translate_y", 5, sign), high)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("level", [1, 5, 9])
def test_shears_pixel_by_pixel(level, sign):
    x, slope = picture(), sign * 0.03 * level
    wide, high = np.full_like(x, FILL), np.full_like(x, FILL)
    for row, column in np.ndindex(30, 40):
        source = int(np.floor(column + 0.5 + slope * (row + 0.5)))
        if 0 <= source < 40:
            wide[row, column] = x[row, source]
        source = int(np.floor(row + 0.5 + slope * (column + 0.5)))
        if 0 <= source < 30:
            high[row, column] = x[source, column]
    np.testing.assert_array_equal(named("shear_x", level, sign), wide)
    np.testing.assert_array_equal(named("shear_y", level, sign), high)


@pytest.mark.parametrize(("level", "sign", "degrees"), [(1, 1, 3), (5, -1, -15), (9, 1, 27)])
def test_a_rotation_turns_a_point_by_whole_degrees(level, sign, degrees):
    """A white square 40 pixels right of the middle goes up by a positive angle, as Pillow turns."""
    x = np.zeros((121, 121, 3), np.uint8)
    x[58:63, 98:103] = 255
    rows, columns = np.nonzero(named("rotate", level, sign, x)[..., 0] == 255)
    angle = np.degrees(np.arctan2(60 - rows.mean(), columns.mean() - 60))
    assert angle == pytest.approx(degrees, abs=0.6)
    assert (named("rotate", level, sign, x)[0, 0] == FILL).all()


def test_levels_run_from_1_to_below_m_signs_are_two_and_half_is_left_out(monkeypatch):
    taken = []

    def spy(place):
        return lambda image, level, sign, colour: taken.append((place, level, sign)) or image

    monkeypatch.setattr(rand_augment, "OPERATIONS", [spy(place) for place in range(14)])
    rng, many = np.random.default_rng(0), 3000
    for _ in range(many):
        changed(picture(2, 2), RandAugment(n=3, m=5), FILL, rng)
    places, levels, signs = map(np.array, zip(*taken, strict=True))
    assert len(taken) == pytest.approx(1.5 * many, rel=0.05)
    assert np.bincount(places, minlength=14) == pytest.approx(len(taken) / 14, rel=0.3)
    assert set(levels.tolist()) == {1, 2, 3, 4}
    assert np.bincount(levels)[1:] == pytest.approx(len(taken) / 4, rel=0.1)
    assert (signs == 1).mean() == pytest.approx(0.5, abs=0.03)
    assert set(signs.tolist()) == {1, -1}


def test_the_square_is_grey_whole_at_the_top_left_and_cut_at_the_bottom_right():
    x, rng, sizes = np.zeros((20, 24, 3), np.uint8), np.random.default_rng(0), set()
    first = set()
    for _ in range(3000):
        found = squared(x, rng)
        rows, columns = np.nonzero((found == GREY).all(-1))
        high, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert len(rows) == high * wide and (found > 0).sum() == 3 * len(rows)
        assert (high == SIDE or rows.max() == 19) and (wide == SIDE or columns.max() == 23)
        sizes.add((int(high), int(wide)))
        first.add((int(rows.min()), int(columns.min())))
    assert (16, 16) in sizes and (9, 9) in sizes  # a square about the last pixel has 9 left of 16
    assert {(0, 0), (11, 15)} <= first
    assert max(row for row, _ in first) == 11 and max(column for _, column in first) == 15
    assert (x == 0).all()


def test_bytes_depend_on_the_rng_alone():
    views = [
        augment(picture(50, 60), None, params(), FILL, np.random.default_rng(seed))[0] for seed in (3, 3, 4)
    ]
    assert views[0].shape == (32, 32, 3) and views[0].dtype == np.uint8
    assert np.array_equal(views[0], views[1]) and not np.array_equal(views[0], views[2])


def test_the_square_comes_after_crop_and_jitter():
    for seed in range(20):
        view, _ = augment(picture(50, 60), None, params(), FILL, np.random.default_rng(seed))
        assert (view == GREY).all(-1).sum() >= 64


def test_without_it_nothing_is_drawn_and_nothing_changes():
    """So that a run without it takes the same random numbers as before it existed."""
    for seed in range(5):
        with_, without = np.random.default_rng(seed), np.random.default_rng(seed)
        view, _ = augment(picture(50, 60), None, params(None), FILL, with_)
        flip = without.random() < 0.5
        top, _, left, _ = (int(without.integers(size)) for size in (19, 1, 29, 1))
        window = (picture(50, 60)[:, ::-1] if flip else picture(50, 60))[top : top + 32, left : left + 32]
        np.testing.assert_array_equal(view, jitter(window, [0.1] * 4, without))
        assert with_.bit_generator.state == without.bit_generator.state
