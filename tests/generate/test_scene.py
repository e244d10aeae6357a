"""Scenes: what is drawn is what the masks and boxes say, and evidence is a small part of it."""

import hashlib

import cv2
import numpy as np
import pytest

from stages.generate.bodies import SEEN_BODY
from stages.generate.params import Generate
from stages.generate.patterns import PATTERNS
from stages.generate.scene import boxes, draw, labels

SHIPPED = {
    "of": ["synthetic"], "seed": 0, "train": 600, "val": 150, "size": 128, "classes": 6, "objects": 3,
    "second_mark": 0, "road": 0, "pairs": 0, "clutter": 0, "thin": 0, "rare": 1, "scribbles": 1,
}  # fmt: skip
# Made before there was a road, a pair, clutter, a thin part or a rare class: the classes, the sha256 of the
# instances, the picture's mean in red, green and blue, and the pixels of evidence.
BEFORE = (
    ((0, 4, 2), "ce7656d0e935", (175.4918, 191.9206, 188.4664), 2219),
    ((1, 1), "75345f2bf980", (159.5229, 134.5212, 120.6152), 1458),
    ((2,), "10364501ac8c", (137.6131, 163.7288, 183.0351), 759),
    ((3, 4), "94a4d92ba1ce", (175.5695, 142.8901, 124.4281), 1974),
    ((4,), "8ab31a9bc002", (176.4254, 157.2141, 147.672), 832),
    ((5, 5), "f27a1e1aac62", (179.3957, 190.6273, 190.0699), 2356),
)


def scenes(count=12, **changed):
    params = Generate(**{**SHIPPED, **changed})
    return [draw(np.random.default_rng((7, index)), params, index) for index in range(count)]


def deep(scene):
    """Pixels of one object with all their neighbours: on a border, what lies below shines through."""
    near = np.ones((3, 3), np.uint8)
    return (scene.instances > 0) & (cv2.erode(scene.instances, near) == cv2.dilate(scene.instances, near))


def test_what_is_optional_is_off_as_shipped_and_then_all_is_as_it_was():
    for scene, (classes, instances, mean, evidence) in zip(scenes(6), BEFORE, strict=True):
        assert scene.classes == classes and scene.evidence.sum() == evidence and not scene.thin.any()
        assert hashlib.sha256(scene.instances.tobytes()).hexdigest().startswith(instances)
        np.testing.assert_allclose(scene.picture.mean((0, 1)), mean, atol=0.001)


def test_evidence_is_a_small_part_of_each_object():
    for scene in scenes():
        for number in range(1, len(scene.classes) + 1):
            inside = scene.instances == number
            share = scene.evidence[inside].mean()
            assert 0.15 < share < 0.7  # 30 to 40 % of a body, more or less where another hides some
        assert not scene.evidence[scene.instances == 0].any()


def test_evidence_is_two_fifths_of_a_lone_object():
    shares = [scene.evidence[scene.instances == 1].mean() for scene in scenes(objects=1)]
    assert min(shares) > 0.34 and max(shares) < 0.46  # drawn from 0.35 to 0.45


def test_a_second_mark_takes_no_random_number():
    """So that 0 draws what was drawn before there was one."""
    states = []
    for mark in (0.0, 0.4, 1.0):
        rng = np.random.default_rng(7)
        draw(rng, Generate(**{**SHIPPED, "size": 64, "second_mark": mark}), 0)
        states.append(rng.bit_generator.state)
    assert states[0] == states[1] == states[2]


def test_a_second_mark_is_on_the_far_two_fifths_of_a_body_and_moves_nothing():
    """At a contrast of 0.4 it changes each pixel by 0.4 of what it does at 1."""
    for plain, faint, whole in zip(*(scenes(second_mark=mark) for mark in (0.0, 0.4, 1.0)), strict=True):
        assert np.array_equal(plain.instances, whole.instances) and plain.classes == whole.classes
        assert np.array_equal(plain.evidence, whole.evidence)
        change = whole.picture.astype(float) - plain.picture
        inked = (np.abs(change) > 20).any(-1)
        assert inked.any()
        assert not (cv2.erode((plain.instances == 0).astype(np.uint8), np.ones((3, 3))) * inked).any()
        assert not (cv2.erode(plain.evidence.astype(np.uint8), np.ones((3, 3))) * inked).any()
        inside = (plain.picture > 0) & (whole.picture > 0) & (plain.picture < 255) & (whole.picture < 255)
        np.testing.assert_allclose(
            (faint.picture - plain.picture.astype(float))[inside], 0.4 * change[inside], atol=1
        )


def test_a_second_mark_lies_opposite_to_the_first_and_is_as_large():
    for plain, whole in zip(scenes(objects=1), scenes(objects=1, second_mark=1.0), strict=True):
        y, x = np.nonzero(plain.instances)
        ends = np.argwhere(plain.evidence).mean(0) - (y.mean(), x.mean())
        inked = (np.abs(whole.picture.astype(float) - plain.picture) > 20).any(-1)
        far = np.argwhere(inked).mean(0) - (y.mean(), x.mean())
        assert np.dot(ends, far) < -0.9 * np.linalg.norm(ends) * np.linalg.norm(far)
        along = (np.argwhere(plain.instances) - (y.mean(), x.mean())) @ (ends / np.linalg.norm(ends))
        reach = (np.argwhere(inked) - (y.mean(), x.mean())) @ (ends / np.linalg.norm(ends))
        assert 0.3 < np.mean(along < reach.max()) < 0.6  # the axis is that of the middles, not the body's own


def test_every_object_stays_visible_and_the_first_class_is_as_asked():
    found = scenes(count=18)
    assert [scene.classes[0] for scene in found] == [index % 6 for index in range(18)]
    assert {len(scene.classes) for scene in found} == {1, 2, 3}
    for scene in found:
        for number in range(1, len(scene.classes) + 1):
            smallest = np.pi * 19 * 9 * 0.7 * SEEN_BODY  # a body of half-axes 19 and about 9 pixels
            assert (scene.instances == number).sum() > smallest


def test_border_of_255_is_where_instances_meet():
    for scene in scenes(count=6):
        mask = labels(scene)
        wanted = np.array((0, *(kind + 1 for kind in scene.classes)))[scene.instances]
        assert np.array_equal(mask[mask != 255], wanted[mask != 255])
        across = scene.instances[:, 1:] != scene.instances[:, :-1]
        assert (mask[:, 1:][across] == 255).all() and (mask[:, :-1][across] == 255).all()
        assert 0.005 < (mask == 255).mean() < 0.2


def test_boxes_are_of_the_visible_part():
    for scene in scenes(count=6):
        for number, (kind, x0, y0, x1, y1) in enumerate(boxes(scene), 1):
            inside = scene.instances == number
            assert kind == scene.classes[number - 1]
            assert inside[y0 - 1 : y1, x0 - 1 : x1].sum() == inside.sum()  # nothing outside the box
            assert inside[y0 - 1].any() and inside[y1 - 1].any()  # and it is tight
            assert inside[:, x0 - 1].any() and inside[:, x1 - 1].any()


def test_smallest_and_larger_sizes():
    for size in (32, 200):
        (scene,) = scenes(count=1, size=size)
        assert scene.picture.shape == (size, size, 3) and scene.picture.dtype == np.uint8
        assert (labels(scene) == 1).any()


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.__name__)
def test_patterns_have_ink_and_gaps_and_are_distinct(pattern):
    y, x = np.mgrid[-40:40, -40:40].astype(np.float32)
    ink = pattern(x, y, 7.0)
    assert ink.shape == x.shape and ink.min() >= 0 and ink.max() <= 1
    assert 0.1 < ink.mean() < 0.65 and (ink < 0.1).mean() > 0.2 and (ink > 0.6).mean() > 0.02
    others = [other(x, y, 7.0) for other in PATTERNS if other is not pattern]
    assert all(np.abs(ink - other).mean() > 0.15 for other in others)
