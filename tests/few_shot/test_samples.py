"""Pairs of pictures, how they are turned, and pictures of any size in a square."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.common.pictures import load_pictures
from stages.few_shot.fitted import fitted, fitted_mask
from stages.few_shot.samples import PairSamples, blurred, read_base, rotated
from tests.few_shot import tiny

FILL = np.array([1, 2, 3], np.uint8)


@pytest.fixture
def samples(place):
    tiny.project()
    train = load_pictures().split("train")
    shown = [picture.labels for picture in train]
    still = {"flip": 0, "scale": None, "jitter": [0, 0, 0, 0], "crop": 40}
    chosen = tiny.params(rotate=0, blur=0, **{f"augment__{key}": value for key, value in still.items()})
    return PairSamples(train, shown, chosen, Path("data/masks"))


def test_a_pair_is_two_pictures_of_a_class(samples):
    """By the colour under each mask."""
    for index in range(len(samples)):
        classes = set()
        for seed in range(6):
            views = samples.sample(index, np.random.default_rng(seed))
            support, support_mask, query, query_mask = (view.numpy() for view in views)
            assert support.shape == query.shape == (3, 40, 40) and support_mask.dtype == np.int64
            assert set(np.unique(support_mask)) == set(np.unique(query_mask)) == {0, 1, 255}
            assert not np.array_equal(support, query)
            colours = [picture[:, mask == 1].mean(1) for picture, mask in
                       ((support, support_mask), (query, query_mask))]  # fmt: skip
            assert np.abs(colours[0] - colours[1]).max() < 0.3
            mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
            rgb = (colours[1] * std + mean) * 255
            classes.add(int(np.abs(np.array(tiny.COLOURS) - rgb).sum(1).argmin()))
        assert classes == set(samples.classes[index])


def test_a_pair_hangs_on_its_numbers_alone(samples):
    first, second = (samples.sample(3, np.random.default_rng(5)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_view_shows_the_object_if_one_of_a_few_does(place):
    tiny.project()
    train = load_pictures().split("train")
    chosen = tiny.params(augment__crop=16)
    samples = PairSamples(train, [p.labels for p in train], chosen, Path("data/masks"))
    views = [samples.sample(index, np.random.default_rng(seed)) for index in range(16) for seed in range(4)]
    seen = [bool((view[at] == 1).any()) for view in views for at in (1, 3)]
    assert np.mean(seen) > 0.97


def test_turned_about_the_middle():
    picture, mask = np.zeros((21, 31, 3), np.uint8), np.zeros((21, 31), np.uint8)
    picture[10, 15], mask[10, 15], mask[10, 25], picture[10, 25] = 200, 1, 2, 90

    class Most:
        def uniform(self, low, high):
            assert (low, high) == (-90, 90)
            return high

    moved, labels = rotated(picture, mask, 90, FILL, Most())
    assert labels.shape == mask.shape and moved.shape == picture.shape
    assert labels[10, 15] == 1 and labels[0, 15] == 2 and moved[0, 15].tolist() == [90, 90, 90]
    assert labels[10, 0] == 255 and moved[10, 0].tolist() == FILL.tolist()  # from outside
    same = rotated(picture, mask, 0, FILL, Most())
    assert same[0] is picture and same[1] is mask


def test_blur_by_its_probability():
    picture = np.random.default_rng(0).integers(0, 255, (9, 9, 3), np.uint8)
    rng = np.random.default_rng(1)
    changed = [not np.array_equal(blurred(picture, 0.25, rng), picture) for _ in range(400)]
    assert 0.18 < np.mean(changed) < 0.32
    np.testing.assert_array_equal(blurred(picture, 1.0, rng), cv2.GaussianBlur(picture, (5, 5), 0))


@pytest.mark.parametrize(("shape", "size"), [((20, 40), (16, 32)), ((64, 16), (32, 8)), ((400, 1), (32, 1))])
def test_a_picture_in_a_square(shape, size):
    picture = np.full((*shape, 3), 100, np.uint8)
    square, found = fitted(picture, 32, FILL)
    assert square.shape == (32, 32, 3) and found == size
    assert (square[: size[0], : size[1]] == 100).all()
    rest = np.ones((32, 32), bool)
    rest[: size[0], : size[1]] = False
    assert (square[rest] == FILL).all()
    mask = fitted_mask(np.ones(shape, np.uint8), 32)
    assert (mask[: size[0], : size[1]] == 1).all() and (mask[rest] == 255).all()


def test_what_base_says(place):
    tiny.project()
    Path("base").mkdir()
    Path("base/index.csv").write_text("id,classes\ntrain3,3;4\ntrain0,4\n")
    pictures, classes = read_base(Path("base"), load_pictures().split("train"))
    assert ([picture.id for picture in pictures], classes) == (["train0", "train3"], [(4,), (3, 4)])
