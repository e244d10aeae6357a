"""Thin parts: how wide, where, and that no mask, box or stroke loses or invents any."""

import cv2
import numpy as np
import pytest
from skimage.measure import label

from stages.generate import limbs as module
from stages.generate.bodies import add_limbs, place
from stages.generate.limbs import limbs, line, ways
from stages.generate.scene import boxes, labels
from stages.generate.shapes import coverage
from stages.generate.strokes import clicks, scribble
from tests.generate.test_scene import scenes

TURN = np.linspace(0, 2 * np.pi, 96, endpoint=False)
DISC = np.stack([64 + 25 * np.cos(TURN), 64 + 25 * np.sin(TURN)], axis=1)


def test_limbs_move_nothing_and_hide_no_body() -> None:
    for plain, thin in zip(scenes(24), scenes(24, thin=1), strict=True):
        assert plain.classes == thin.classes and np.array_equal(plain.evidence, thin.evidence)
        trunk = plain.instances > 0
        assert np.array_equal(plain.instances[trunk], thin.instances[trunk])
        assert np.array_equal(thin.thin, (thin.instances > 0) & ~trunk)
        core = cv2.erode(trunk.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        same = (np.abs(plain.picture.astype(int) - thin.picture) < 2).all(-1)
        assert same[core].mean() > 0.95  # but for a limb's shadow on a body below


def test_limbs_bear_no_mark() -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        body = place(rng, 128, seed % 6, [])
        ink, copy, trunk = body.ink, body.copy, body.alpha == 1
        add_limbs(rng, [body], 1)
        assert body.thin.any() and not body.ink[body.thin].any() and not body.copy[body.thin].any()
        assert np.array_equal(body.ink[trunk], ink[trunk]) and np.array_equal(body.copy[trunk], copy[trunk])


def test_a_twelfth_of_the_objects_pixels_is_thin_and_none_is_lost_in_the_border() -> None:
    found = scenes(48, thin=1)
    thin = sum(scene.thin.sum() for scene in found)
    assert 0.07 < thin / sum((scene.instances > 0).sum() for scene in found) < 0.1
    for scene in found:
        mask = labels(scene)
        wanted = np.array((0, *(kind + 1 for kind in scene.classes)))[scene.instances]
        assert np.array_equal(mask[scene.thin], wanted[scene.thin])
        near = cv2.dilate(scene.thin.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        assert (mask[near & (scene.instances == 0)] == 255).all()


def test_half_of_the_bodies_have_them_and_the_same_ones() -> None:
    seen = []
    for half, whole in zip(scenes(24, thin=0.5), scenes(24, thin=1), strict=True):
        for number in range(1, len(half.classes) + 1):
            mine, all_of = (scene.thin & (scene.instances == number) for scene in (half, whole))
            seen.append(mine.any())
            assert not (mine & (whole.instances == 0)).any()
            if len(half.classes) == 1:
                assert np.array_equal(mine, all_of) or not mine.any()
    assert 0.3 < np.mean(seen) < 0.7


@pytest.mark.parametrize("wide", [2, 3, 4])
def test_a_line_is_as_wide_as_asked_in_any_direction(wide: int) -> None:
    """Of 80 pixels' length with half discs at its ends; and so are two lines that meet."""
    for angle in np.linspace(0, np.pi, 7):
        step = 40 * np.array([np.cos(angle), np.sin(angle)])
        for way in ([64 - step, 64 + step], [64 - step, np.array([64.0, 64.0]), 64 + step]):
            found = line(np.array(way) + 0.3, wide, 128)
            assert found.sum() == pytest.approx(80 * wide + np.pi * wide**2 / 4, rel=0.02)
            assert found.max() == 1 and (found >= 0.5).sum() == pytest.approx(found.sum(), rel=0.15)


@pytest.mark.parametrize("part", module.PARTS)
def test_a_part_hangs_on_the_body_and_sticks_out(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Around a disc of radius 25: at least 14 pixels; at most the tail's 24, bent aside by 0.7 of that, or as
    far as the foot of the leg that begins at twice 9 pixels' turn. On all sides."""
    monkeypatch.setattr(module, "PARTS", (part, part))
    trunk = coverage(DISC, 128) >= 0.5
    y, x = np.mgrid[:128, :128] - 64
    sides = set()
    for seed in range(40):
        found = limbs(np.random.default_rng(seed), DISC, np.array([64.0, 64.0]), 128)
        outside = (found >= 0.5) & ~trunk
        assert label(trunk | outside, connectivity=2).max() == 1
        assert 25 + 14 < np.hypot(x, y)[outside].max() < 25 + 24 + 5
        assert not (found >= 0.5)[np.hypot(x, y) < 0.8 * 25 - 3].any()
        far = np.argmax(np.where(outside, np.hypot(x, y), 0))
        sides.add(int(np.arctan2(y.flat[far], x.flat[far]) // (np.pi / 4)))
    assert sides == {*range(-4, 4)}


def drawn(part: str) -> list[list[np.ndarray]]:
    turn = np.linspace(0, 2 * np.pi, 5000)
    edge = 25 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return [ways(np.random.default_rng(seed), part, edge, 1.0) for seed in range(30)]


def test_legs_are_parallel_and_their_feet_level() -> None:
    """Two to four, each beginning at 20 pixels from the middle, 9 pixels apart along the disc's edge."""
    found = drawn("legs")
    assert {len(legs) for legs in found} == {2, 3, 4}
    for legs in found:
        outs = [leg[-1] - leg[0] / 0.8 for leg in legs]
        out = outs[0] / np.linalg.norm(outs[0])
        assert all(np.linalg.norm(leg[0]) == pytest.approx(20, rel=0.01) for leg in legs)
        assert np.ptp([leg[-1] @ out for leg in legs]) < 0.01
        assert all(out[0] * one[1] == pytest.approx(out[1] * one[0], abs=0.01) for one in outs)
        assert 14 <= min(np.linalg.norm(one) for one in outs) <= 24
        turns = np.unwrap([np.arctan2(leg[0][1], leg[0][0]) for leg in legs])
        np.testing.assert_allclose(np.diff(turns), 9 / 25, atol=0.02)


def test_a_handle_has_both_ends_in_the_body_and_its_bow_between() -> None:
    for (bow,) in drawn("handle"):
        ends, top = bow[[0, -1]], bow[np.argmax(np.hypot(*bow.T))]
        np.testing.assert_allclose(np.hypot(*ends.T), 20, rtol=0.01)
        assert (
            np.linalg.norm(bow[1] - ends[0] / 0.8) < 0.01 and np.linalg.norm(bow[-2] - ends[1] / 0.8) < 0.01
        )
        assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(2 * 20 * np.sin(9 / 25), rel=0.03)
        assert 14 < np.linalg.norm(top) - 25 * np.cos(9 / 25) + 0.5 < 24.5
        assert np.linalg.norm(top - ends[0]) == pytest.approx(np.linalg.norm(top - ends[1]), rel=0.15)
        assert np.linalg.norm(np.diff(bow, axis=0), axis=1).max() < 12


def test_a_tail_begins_in_the_body_and_bends_to_either_side() -> None:
    """14 to 24 pixels out of a disc of 25, and 0.7 of that aside at its tip."""
    sides = set()
    for (tail,) in drawn("tail"):
        root, tip = tail[0], tail[-1]
        assert np.linalg.norm(root) == pytest.approx(20, rel=0.01)
        out = root / np.linalg.norm(root)
        reach = tip @ out - 25
        aside = tip @ (-out[1], out[0])
        assert 13.9 < reach < 24.1 and abs(aside) == pytest.approx(0.7 * reach, rel=0.05)
        middle = tail[np.argmin(np.abs(tail @ out - 25 - reach / 2))] @ (-out[1], out[0])
        assert abs(middle) < 0.4 * abs(aside)  # it starts straight
        sides.add(aside > 0)
    assert sides == {True, False}


def test_a_part_begins_in_the_body_where_its_middle_is_not_that_of_the_outline() -> None:
    """The outline reaches 35 pixels to the right of the body's middle, and 15 to the left."""
    trunk = coverage(DISC, 128) >= 0.5
    for seed in range(20):
        found = limbs(np.random.default_rng(seed), DISC, np.array([54.0, 64.0]), 128) >= 0.5
        assert label(trunk | found, connectivity=2).max() == 1


def test_parts_are_as_large_in_a_larger_picture() -> None:
    for seed in range(6):
        small, large = (
            limbs(np.random.default_rng(seed), size / 128 * DISC, size / 128 * np.array([64.0, 64.0]), size)
            for size in (128, 256)
        )
        assert large.mean() == pytest.approx(small.mean(), rel=0.03)
        assert small.dtype == np.float32


def test_boxes_are_tight_and_strokes_and_clicks_are_right_with_limbs() -> None:
    for index, scene in enumerate(scenes(24, thin=1)):
        for number, (_, left, top, right, bottom) in enumerate(boxes(scene), 1):
            y, x = np.nonzero(scene.instances == number)
            assert (left, top, right, bottom) == (x.min() + 1, y.min() + 1, x.max() + 1, y.max() + 1)
        rng, truth = np.random.default_rng((7, index, 1)), labels(scene)
        strokes = scribble(rng, scene, 1)
        known = (strokes != 255) & (truth != 255)
        assert (strokes == truth)[known].all()
        assert {*np.unique(strokes).tolist()} == {0, 255, *(kind + 1 for kind in scene.classes)}
        for click in clicks(rng, scene):
            assert truth[click["y"], click["x"]] == click["cls"]
            assert not scene.thin[click["y"], click["x"]]
