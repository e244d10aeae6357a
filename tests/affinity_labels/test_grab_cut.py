"""GrabCut: it finds what is there, the same whatever ran before; and when the box is its answer."""

import cv2
import numpy as np
import pytest

from stages.affinity_labels import grab_cut
from stages.affinity_labels.grab_cut import object_of
from stages.affinity_labels.params import GrabCut
from stages.common.annotations import Box

PARAMS = GrabCut(iterations=3, min_share=0.15)
SIZE = (40, 60)
BOX = Box(1, 2, 12, 8, 42, 34)


def disc() -> np.ndarray:
    y, x = np.ogrid[:40, :60]
    return (y - 21) ** 2 + (x - 27) ** 2 <= 12**2


def scene(noise: float) -> np.ndarray:
    """A bright disc on dark ground, RGB uint8 [40, 60, 3]."""
    rng = np.random.default_rng(0)
    clean = np.where(disc()[..., None], [200, 120, 60], [60, 90, 120])
    return np.clip(clean + rng.normal(0, noise, (*SIZE, 3)), 0, 255).astype(np.uint8)


def patchwork(seed: int = 1) -> np.ndarray:
    """A disc of patches on ground of patches, in 24 colours: here the clusters that are drawn matter."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (24, 3))
    ground, front = (
        colours[np.kron(rng.integers(*span, (10, 15)), np.ones((4, 4), int))] for span in ((0, 14), (10, 24))
    )
    mixed = np.where(disc()[..., None], front, ground) + rng.normal(0, 8, (*SIZE, 3))
    return np.clip(mixed, 0, 255).astype(np.uint8)


def inside(box: Box) -> np.ndarray:
    rows, columns = np.indices(SIZE)
    return (rows >= box.top) & (rows < box.bottom) & (columns >= box.left) & (columns < box.right)


def test_it_finds_the_disc_in_its_box() -> None:
    found = object_of(BOX, scene(10), PARAMS)
    assert found.dtype == bool and not found[~inside(BOX)].any()
    assert (found & disc()).sum() / (found | disc()).sum() > 0.97


def test_what_is_alike_outside_of_the_box_is_not_the_object() -> None:
    """The disc again, a box to the right of it and one below."""
    picture = np.tile(scene(10), (2, 2, 1))
    for left, top in ((0, 0), (60, 0), (0, 40)):
        box = Box(1, 2, left + 12, top + 8, left + 42, top + 34)
        wanted = np.zeros((80, 120), bool)
        wanted[top : top + 40, left : left + 60] = disc()
        found = object_of(box, picture, PARAMS)
        assert (found & wanted).sum() / (found | wanted).sum() > 0.97


def drawn_with(seed: int, picture: np.ndarray) -> np.ndarray:
    mask, models = np.zeros(SIZE, np.uint8), (np.zeros((1, 65)), np.zeros((1, 65)))
    cv2.setRNGSeed(seed)
    cv2.grabCut(picture, mask, (12, 8, 30, 26), *models, 3, cv2.GC_INIT_WITH_RECT)
    return mask % 2 == 1


def test_nothing_that_was_drawn_before_counts() -> None:
    picture = patchwork()
    wanted = drawn_with(0, picture)
    assert any((drawn_with(seed, picture) != wanted).any() for seed in range(1, 20))  # it is random
    assert 0.15 < wanted.sum() / inside(BOX).sum() < 1
    for seed in (0, 7, 99):
        cv2.setRNGSeed(seed)
        cv2.randu(np.zeros(seed + 1, np.uint8), 0, 255)
        object_of(Box(2, 1, 0, 0, 20, 30), picture, PARAMS)
        np.testing.assert_array_equal(object_of(BOX, picture, PARAMS), wanted)


def test_the_number_of_threads_does_not_count() -> None:
    picture, before = patchwork(), cv2.getNumThreads()
    found = []
    for threads in (1, 2):
        cv2.setNumThreads(threads)
        found.append(object_of(BOX, picture, PARAMS))
    cv2.setNumThreads(before)
    np.testing.assert_array_equal(*found)


def test_fewer_iterations_give_something_else() -> None:
    picture = patchwork(11)
    one = object_of(BOX, picture, GrabCut(iterations=1, min_share=0.15))
    assert (one != object_of(BOX, picture, PARAMS)).any()


@pytest.mark.parametrize(("pixels", "whole"), [(14, True), (15, False), (16, False)])
def test_too_little_of_the_box_is_the_box(monkeypatch: pytest.MonkeyPatch, pixels: int, whole: bool) -> None:
    """Of 100 pixels."""
    part = np.zeros(SIZE, bool)
    part[5, 3 : 3 + pixels] = True
    monkeypatch.setattr(grab_cut, "_cut", lambda *_: part)
    box = Box(1, 1, 3, 5, 23, 10)
    found = object_of(box, scene(0), PARAMS)
    np.testing.assert_array_equal(found, inside(box) if whole else part)


def test_a_box_that_fills_the_picture_is_its_own_object() -> None:
    assert object_of(Box(1, 1, 0, 0, 60, 40), scene(10), PARAMS).all()


@pytest.mark.parametrize(
    ("box", "flat"),
    [(Box(1, 1, 0, 0, 59, 40), False), (Box(1, 1, 5, 5, 6, 6), False), (Box(1, 1, 4, 4, 30, 20), True)],
)
def test_boxes_in_which_there_is_little_to_see(box: Box, flat: bool) -> None:
    """Almost all of the picture, one pixel, one colour: an answer inside of the box, and not too little."""
    picture = np.full((*SIZE, 3), 90, np.uint8) if flat else scene(10)
    found = object_of(box, picture, PARAMS)
    assert not found[~inside(box)].any() and found.sum() >= 0.15 * inside(box).sum()
