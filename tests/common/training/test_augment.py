import colorsys

import cv2
import numpy as np
import pytest

from stages.common.training.augment import augment, fill_colour, jitter, normalise, resize
from stages.common.training.params import Augment

FILL = np.uint8([7, 8, 9])


def params(**changes) -> Augment:
    values = {"longest_side": None, "scale": None, "crop": 16, "flip": 0.0, "jitter": [0.0] * 4}
    values["rand_augment"] = None
    small = {"crop": changes.pop("crop")} if "crop" in changes else {}  # less than the schema allows
    return Augment.model_validate({**values, **changes}).model_copy(update=small)


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


@pytest.mark.parametrize(
    ("change", "low", "high"), [({"longest_side": [8, 24]}, 8, 24), ({"scale": [0.2, 0.5]}, 8, 20)]
)
def test_sizes_come_from_the_whole_range(change, low, high):
    """Of a picture 40 high and 20 wide, the width is half of the height."""
    picture, heights = np.zeros((40, 20, 3), np.uint8), set()
    for seed in range(200):
        _, mask = augment(picture, np.ones((40, 20), np.uint8), params(crop=50, **change), FILL, rng(seed))
        height, width = (np.ptp(np.flatnonzero((mask == 1).any(axis))) + 1 for axis in (1, 0))
        heights.add(int(height))
        assert abs(width - height / 2) <= 1 and (mask == 1).sum() == height * width
    assert heights == set(range(low, high + 1))


def test_a_side_is_one_pixel_at_least():
    for shape in ((1, 40), (40, 1)):
        picture = np.full((*shape, 3), 200, np.uint8)
        _, mask = augment(picture, np.ones(shape, np.uint8), params(scale=[0.1, 0.1]), FILL, rng())
        assert (mask == 1).sum() == 4


@pytest.mark.parametrize(("width", "height"), [(3, 4), (20, 4), (3, 12), (8, 6), (20, 12), (10, 12), (20, 6)])
def test_areas_are_averaged_where_a_side_shrinks(width, height):
    picture = rng().integers(0, 256, (6, 10, 3), np.uint8)
    how = cv2.INTER_AREA if width < 10 or height < 6 else cv2.INTER_LINEAR
    other = cv2.INTER_LINEAR if how == cv2.INTER_AREA else cv2.INTER_AREA
    found = resize(picture, width, height)
    np.testing.assert_array_equal(found, cv2.resize(picture, (width, height), interpolation=how))
    assert (found != cv2.resize(picture, (width, height), interpolation=other)).any()


def test_an_average_by_hand():
    picture = np.uint8([[0, 10, 100, 200], [20, 30, 100, 0]])[..., None].repeat(3, 2)
    assert resize(picture, 2, 1)[0, :, 0].tolist() == [15, 100]


def test_a_mask_is_resized_to_the_nearest_pixel():
    mask = np.uint8([[0, 1, 2, 3]]).repeat(4, 0)
    _, found = augment(np.zeros((4, 4, 3), np.uint8), mask, params(scale=[2.0, 2.0], crop=8), FILL, rng())
    np.testing.assert_array_equal(found, np.uint8([[0, 0, 1, 1, 2, 2, 3, 3]]).repeat(8, 0))
    picture = rng().integers(0, 256, (4, 4, 3), np.uint8)
    view, none = augment(picture, None, params(crop=4), FILL, rng())
    assert none is None and np.array_equal(view, picture)


def test_every_window_is_drawn():
    """Of 3 x 4 pixels, windows of 2: 2 x 3 places; in windows of 5: 3 x 2 places."""
    mask = np.arange(12, dtype=np.uint8).reshape(3, 4)
    picture = mask[..., None].repeat(3, 2)
    for crop, seen in (
        (2, {(y, x) for y in range(2) for x in range(3)}),
        (5, {(y, x) for y in range(3) for x in range(2)}),
    ):
        found = set()
        for seed in range(100):
            view, moved = augment(picture, mask, params(crop=crop), FILL, rng(seed))
            inside = moved != 255
            assert np.array_equal(view[inside][:, 0], moved[inside])
            rows, columns = np.nonzero(inside)
            first = int(moved[rows[0], columns[0]])
            corner = divmod(first, 4) if crop == 2 else (int(rows[0]), int(columns[0]))
            y, x = corner if crop == 2 else (0, 0)
            np.testing.assert_array_equal(moved[inside], mask[y : y + crop, x : x + crop].ravel())
            found.add(corner)
        assert found == seen


def test_a_flip_mirrors_the_columns():
    picture = rng().integers(0, 256, (5, 6, 3), np.uint8)
    for flip, wanted in ((1.0, picture[:, ::-1]), (0.0, picture)):
        view, mask = augment(picture, picture[..., 0], params(flip=flip, crop=6), FILL, rng())
        rows = (mask[:, 0] != FILL[0]) & (view != FILL).any((1, 2))
        np.testing.assert_array_equal(view[rows], wanted)
        np.testing.assert_array_equal(mask[rows], wanted[..., 0])
    flipped = [augment(picture, None, params(flip=0.3, crop=6), FILL, rng(seed))[0] for seed in range(300)]
    share = np.mean([not np.array_equal(v[(v != FILL).any((1, 2))], picture) for v in flipped])
    assert 0.2 < share < 0.4


@pytest.mark.parametrize(
    "strength", [[0.3, 0, 0, 0], [0, 0.5, 0, 0], [0, 0, 0.6, 0], [0, 0, 0, 0.4], [0.3, 0.5, 0.6, 0.4]]
)
@pytest.mark.parametrize("seed", range(3))
def test_jitter_equals_colorsys_pixel_by_pixel(strength, seed):
    """Brightness, contrast about the mean grey, saturation about each pixel's grey, hue in turns."""
    picture = rng().integers(30, 226, (4, 5, 3), np.uint8)
    draws = rng(seed).uniform(-1, 1, 4)
    brightness, contrast, saturation = (1 + s * u for s, u in zip(strength, draws[:3], strict=False))
    bright = picture / 255 * brightness
    grey = 0.299 * bright[..., 0] + 0.587 * bright[..., 1] + 0.114 * bright[..., 2]
    contrasted = (bright - grey.mean()) * contrast + grey.mean()
    wanted = np.zeros(picture.shape)
    for place in np.ndindex(4, 5):
        rgb = np.clip(grey[place] + (contrasted[place] - grey[place]) * saturation, 0, 1)
        hue, share, value = colorsys.rgb_to_hsv(*rgb)
        wanted[place] = colorsys.hsv_to_rgb((hue + strength[3] * draws[3]) % 1, share, value)
    found = jitter(picture, strength, rng(seed))
    assert found.dtype == np.uint8 and (found != picture).any()
    np.testing.assert_allclose(found, wanted * 255, atol=0.51 if not strength[3] else 1)


def test_jitter_of_nothing_draws_nothing():
    """So that a run without it takes the same random numbers as before it existed."""
    generator = rng()
    picture = np.zeros((2, 2, 3), np.uint8)
    assert jitter(picture, [0.0] * 4, generator) is picture
    assert generator.random() == rng().random()


def test_jitter_by_hand():
    grey = np.full((4, 4, 3), 100, np.uint8)
    assert (jitter(grey, [0.0, 0.5, 0.5, 0.4], rng()) == 100).all()  # grey has no contrast, colour or hue
    factor = 1 + 0.5 * rng().uniform(-1, 1)
    assert (jitter(grey, [0.5, 0.0, 0.0, 0.0], rng()) == round(100 * factor)).all()


def test_fill_normalises_to_about_zero():
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    x = normalise(np.broadcast_to(fill_colour(mean), (2, 2, 3)), mean, std)
    assert x.shape == (3, 2, 2) and np.abs(x).max() < 0.01


def test_normalise_by_hand():
    picture = np.uint8([[[0, 255, 51], [102, 0, 255]]])
    x = normalise(picture, [0.0, 0.5, 0.2], [1.0, 0.25, 0.5])
    assert x.dtype == np.float32 and x.flags.c_contiguous
    np.testing.assert_allclose(x, [[[0, 0.4]], [[2, -2]], [[0, 1.6]]], atol=1e-6)


def test_a_fill_colour_is_one():
    found = fill_colour([-0.1, 0.2, 1.3])
    assert found.dtype == np.uint8 and found.tolist() == [0, 51, 255]
    assert fill_colour([0.485, 0.456, 0.406]).tolist() == [124, 116, 104]  # 123.7, 116.3, 103.5


def test_a_range_is_ordered_and_one_of_two():
    with pytest.raises(ValueError, match="smallest, largest"):
        params(scale=[2.0, 1.0])
    with pytest.raises(ValueError, match="not both"):
        params(scale=[1.0, 1.0], longest_side=[8, 8])
