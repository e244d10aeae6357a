"""Losses of a picture's network, by hand and by loops."""

import math

import numpy as np
import pytest
import torch

from stages.common.annotations import Box
from stages.common.pairs import disagreement, gaussian, per_cell, square_offsets
from stages.generate.params import Generate
from stages.generate.scene import boxes, draw
from stages.graph import losses
from stages.graph.nodes import both_ways
from tests.generate.test_scene import SHIPPED


def test_background_and_classes_weigh_the_same_however_many_pixels_they_have() -> None:
    scores = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[0, 0, 0, 255], [2, 1, 0, 255]])
    costs = -scores.log_softmax(0)
    ground = [costs[0, 0, 0], costs[0, 0, 1], costs[0, 0, 2], costs[0, 1, 2]]
    classes = [costs[2, 1, 0], costs[1, 1, 1]]
    wanted = sum(ground) / 4 + sum(classes) / 2
    assert losses.cross_entropy(scores, labels).item() == pytest.approx(float(wanted), rel=1e-5)


def test_a_side_without_a_label_counts_nothing() -> None:
    scores = torch.randn(2, 1, 2, requires_grad=True)
    assert losses.cross_entropy(scores, torch.full((1, 2), 255)) == 0
    found = losses.cross_entropy(scores, torch.tensor([[255, 1]]))
    assert found.item() == pytest.approx(-scores.log_softmax(0)[1, 0, 1].item(), rel=1e-5)
    found.backward()
    assert torch.isfinite(scores.grad).all() and not scores.grad[:, 0, 0].any()


def test_the_places_of_a_box_of_two_rows_and_three_columns() -> None:
    """In each row and each column the highest; the first of equal ones."""
    scores = torch.zeros(4, 6)
    scores[1:3, 2:5] = torch.tensor([[1.0, 5.0, 2.0], [4.0, 4.0, 3.0]])
    scores[0], scores[:, 0] = 9, 9  # outside
    y, x = losses.touched(scores, Box(0, 1, 2, 1, 5, 3))
    assert list(zip(y.tolist(), x.tolist(), strict=True)) == [(1, 3), (2, 2), (2, 2), (1, 3), (2, 4)]


def test_the_places_of_a_tight_box_lie_on_its_object() -> None:
    """Of generated scenes, hidden parts and all: each row and column of a box meets the object, so that the
    highest places of its own mask are all on it, as many as the box has rows and columns."""
    params, seen = Generate(**{**SHIPPED, "size": 96}), 0
    for index in range(6):
        scene = draw(np.random.default_rng((7, index)), params, index)
        for number, (kind, left, top, right, bottom) in enumerate(boxes(scene), 1):
            own = torch.from_numpy(scene.instances == number).float()
            y, x = losses.touched(own, Box(0, kind + 1, left - 1, top - 1, right, bottom))
            assert len(y) == right - left + bottom - top + 2 and own[y, x].all()
            seen += 1
    assert seen > 6


def test_the_multi_point_loss_by_hand() -> None:
    """Of the 2 x 3 box above: five places, twenty ordered pairs; and a second box of one pixel."""
    scores = torch.tensor([[0.0, 1.0], [0.0, 2.0], [0.0, 2.0], [0.0, 1.0], [1.0, 0.0]])
    features = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 2.0], [1.0, 0.0], [3.0, 3.0]])
    one, two = math.log(1 + math.exp(-1)), math.log(1 + math.exp(-2))
    low = math.log(1 + math.exp(1))
    slant = 1 - math.sqrt(0.5)
    # of 10 pairs: 0-1, 0-2, 3-1, 3-2 at a right angle, 4 pairs at 45 degrees, 0-3 and 1-2 alike
    far = 2 * (4 * 1 + 4 * slant) / 20
    found = losses.multi_point([scores], [features], [1])
    assert found.item() == pytest.approx((2 * one + 2 * two + low) / 5 + far, rel=1e-5)
    single = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    found = losses.multi_point([scores, single], [features, torch.ones(2, 2)], [1, 0])
    wanted = (2 * one + 2 * two + low + 2 * math.log(2)) / 7 + 2 * (4 + 4 * slant) / 22
    assert found.item() == pytest.approx(wanted, rel=1e-5)


def test_the_regularised_loss_is_the_sum_over_all_pairs_of_cells() -> None:
    """By a double loop, and by the sums over offsets of the segmenter's terms."""
    height, width, radius, sigma_xy, sigma_rgb = 3, 5, 2, 3.0, 40.0
    draws = torch.Generator().manual_seed(0)
    rgb = torch.rand(1, 3, height, width, generator=draws) * 255
    scores = torch.randn(height * width, 3, generator=draws)
    offsets = square_offsets(radius)
    pairs = gaussian(rgb, offsets, sigma_xy, sigma_rgb)
    kernel = both_ways(pairs[0], offsets)
    shares = scores.softmax(1)
    total = 0.0
    for i in range(height * width):
        for j in range(height * width):
            (y, x), (v, u) = divmod(i, width), divmod(j, width)
            if i == j or abs(y - v) > radius or abs(x - u) > radius:
                assert kernel[i, j] == 0
                continue
            far = ((y - v) ** 2 + (x - u) ** 2) / (2 * sigma_xy**2)
            unlike = (rgb[0, :, y, x] - rgb[0, :, v, u]).square().sum() / (2 * sigma_rgb**2)
            weight = math.exp(-max(min(far + unlike.item(), 25.0), 0))
            assert kernel[i, j].item() == pytest.approx(weight, rel=1e-4)
            total += weight * (1 - (shares[i] @ shares[j]).item())
    found = losses.regularised(scores, kernel)
    assert found.item() == pytest.approx(total / (height * width), rel=1e-4)
    on_grid = shares.T.reshape(1, 3, height, width)
    inside = torch.ones(1, height, width, dtype=torch.bool)
    assert found.item() == pytest.approx(
        per_cell(disagreement(on_grid, pairs, offsets), inside).item(), rel=1e-4
    )
    sure = torch.zeros(height * width, 3)
    sure[:, 1] = 100  # one class everywhere: nothing disagrees
    assert losses.regularised(sure, kernel).abs() < 1e-4


def test_labels_that_are_unlike_their_box_s_places_do_not_count() -> None:
    labels = torch.tensor([[1, 1, 0, 1], [1, 2, 255, 1]])
    cosines = torch.tensor([[0.9, 0.98, 0.1, 0.1], [0.99, 0.1, 0.1, 0.1]])
    found = losses.consistent(labels, Box(0, 5, 0, 0, 3, 2), 1, cosines, 0.98)
    assert found.tolist() == [[255, 255, 0, 1], [1, 2, 255, 1]]
    assert labels[0, 0] == 1  # of one step: the labels themselves stay
