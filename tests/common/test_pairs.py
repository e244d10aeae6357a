"""Pairs of cells, by double loops over all cells, by hand, and by differences."""

import math

import numpy as np
import pytest
import torch

from stages.common.pairs import (
    affinity_loss,
    both,
    disagreement,
    distances,
    gaussian,
    gaussian_of,
    pair_kinds,
    per_cell,
    square_offsets,
)


def test_no_pairs_cost_nothing():
    values, inside = torch.rand(1, 1, 3, 3), torch.ones(1, 3, 3, dtype=torch.bool)
    kinds = pair_kinds(torch.full((1, 3, 3), 255), [(0, 1)], inside)
    assert affinity_loss(values, kinds)["loss"].item() == 0


def test_each_part_is_the_mean_of_its_pairs_and_finite():
    """By hand: W of 1 and 0 cost nothing or -log 1e-5; others their logarithm; different ones count twice."""
    values = torch.tensor([[[[0.0, 0.5, 1.0, 0.25, 1.0, 0.75]]]])
    kinds = [torch.tensor([[[[n == kind for n in (0, 0, 1, 1, 2, 2)]]]]) for kind in range(3)]
    parts = affinity_loss(values, tuple(kinds))
    least = -math.log(1e-5)
    wanted = {
        "foreground": (least + math.log(2)) / 2,
        "background": (0 + math.log(4)) / 2,
        "different": (least + math.log(4)) / 2,
    }
    for name, value in wanted.items():
        assert math.isclose(parts[name].item(), value, rel_tol=1e-4), name
    total = wanted["foreground"] + wanted["background"] + 2 * wanted["different"]
    assert math.isclose(parts["loss"].item(), total, rel_tol=1e-4)


def test_kinds_of_pairs_by_hand():
    labels = torch.tensor([[[0, 0, 1], [1, 255, 2]]])
    offsets = [(0, 1), (1, -2)]
    inside = both(torch.ones(1, 2, 3, dtype=torch.bool), offsets)
    foreground, background, different = (
        kind[0].int().tolist() for kind in pair_kinds(labels, offsets, inside)
    )
    none = [0, 0, 0]
    assert foreground == [[none, none], [[0, 0, 1], none]]
    assert background == [[[1, 0, 0], none], [none, none]]
    assert different == [[[0, 1, 0], none], [none, none]]


def test_kinds_of_pairs_by_a_loop_over_cells():
    rng = np.random.default_rng(2)
    labels, inside = rng.choice([0, 0, 1, 2, 255], (2, 5, 4)), rng.random((2, 5, 4)) > 0.2
    offsets = square_offsets(2)
    there = both(torch.from_numpy(inside), offsets)
    kinds = pair_kinds(torch.from_numpy(labels), offsets, there)
    wanted = np.zeros((3, 2, len(offsets), 5, 4), bool)
    for at, first, second in pairs_of(5, 4, offsets):
        for b in range(2):
            own, other = labels[(b, *first)], labels[(b, *second)]
            if 255 not in (own, other) and inside[(b, *first)] and inside[(b, *second)]:
                wanted[(2 if own != other else 0 if own else 1, b, at, *first)] = True
    for kind, found in zip(kinds, wanted, strict=True):
        assert found.sum() > 3 and (kind.numpy() == found).all()


def test_one_pair_is_its_own_mean():
    one, none = torch.tensor([[[[True, False]]]]), torch.zeros(1, 1, 1, 2, dtype=torch.bool)
    parts = affinity_loss(torch.tensor([[[[0.25, 0.5]]]]), (none, one, none))
    assert math.isclose(parts["loss"].item(), math.log(4), rel_tol=1e-6)


@pytest.mark.parametrize(("radius", "count"), [(1, 4), (2, 12), (5, 60)])
def test_square_offsets_and_their_opposites_are_the_square_without_its_centre(radius, count):
    half = square_offsets(radius)
    assert len(half) == count and half == sorted(half)
    reach = range(-radius, radius + 1)
    square = {(dy, dx) for dy in reach for dx in reach} - {(0, 0)}
    opposite = {(-dy, -dx) for dy, dx in half}
    assert {*half} | opposite == square and not {*half} & opposite


def pairs_of(height, width, offsets):
    """(offset, first cell, second cell) of every pair, by a search over all cells."""
    cells = {(y, x) for y in range(height) for x in range(width)}
    for at, (dy, dx) in enumerate(offsets):
        for y, x in sorted(cells):
            if (y + dy, x + dx) in cells:
                yield at, (y, x), (y + dy, x + dx)


@pytest.mark.parametrize(("height", "width"), [(3, 5), (2, 2)])
def test_what_belongs_to_pairs_against_a_loop_over_cells(height, width):
    """Radius 3, so that some offsets have no pair at all."""
    rng = np.random.default_rng(0)
    offsets = square_offsets(3)
    rgb, f = rng.uniform(0, 255, (2, 3, height, width)), rng.normal(size=(2, 4, height, width))
    inside = rng.random((2, height, width)) > 0.3
    kernel = gaussian(torch.from_numpy(rgb), offsets, 2.5, 90)
    mean, squared = distances(torch.from_numpy(f), offsets)
    there = both(torch.from_numpy(inside), offsets)
    wanted = {
        name: np.zeros((2, len(offsets), height, width)) for name in ("kernel", "mean", "squared", "there")
    }
    for at, (y, x), (v, u) in pairs_of(height, width, offsets):
        for b in range(2):
            far = ((y - v) ** 2 + (x - u) ** 2) / (2 * 2.5**2)
            unlike = ((rgb[b, :, y, x] - rgb[b, :, v, u]) ** 2).sum() / (2 * 90**2)
            apart = f[b, :, y, x] - f[b, :, v, u]
            wanted["kernel"][b, at, y, x] = math.exp(-far - unlike)
            wanted["mean"][b, at, y, x] = np.abs(apart).mean()
            wanted["squared"][b, at, y, x] = (apart**2).sum()
            wanted["there"][b, at, y, x] = inside[b, y, x] and inside[b, v, u]
    np.testing.assert_allclose(kernel, wanted["kernel"], rtol=1e-9)
    np.testing.assert_allclose(mean, wanted["mean"], rtol=1e-9)
    np.testing.assert_allclose(squared, wanted["squared"], rtol=1e-9)
    assert there.dtype == torch.bool and (there.numpy() == wanted["there"]).all()
    assert mean.shape == (2, 24, height, width) and not mean[:, offsets.index((3, 0))].any()


def test_unlike_colours_are_neither_nothing_nor_slow():
    """exp(-116) is no number of float32 that is computed fast, nor 0."""
    rgb = torch.tensor([0.0, 255.0]).expand(1, 3, 1, 2)
    kernel = gaussian(rgb, [(0, 1)], 6, 29)
    assert kernel[0, 0, 0].tolist() == [pytest.approx(math.exp(-25)), 0]
    assert gaussian_of(torch.tensor([0.0, 18.0, 1e9]), 3).tolist() == pytest.approx(
        [1, math.exp(-1), math.exp(-25)]
    )


def test_disagreement_is_of_each_pair_once():
    rng = np.random.default_rng(1)
    offsets = square_offsets(2)
    p = torch.from_numpy(rng.dirichlet([1, 1, 1], (2, 4, 5)).transpose(0, 3, 1, 2).copy())
    kernel = torch.from_numpy(rng.random((2, 12, 4, 5)))
    wanted = 0.0
    for at, first, second in pairs_of(4, 5, offsets):
        kernel_of, alike = kernel[(slice(None), at, *first)], p[(..., *first)] * p[(..., *second)]
        wanted += (kernel_of * (1 - alike.sum(1))).sum().item()
    there = both(torch.ones(2, 4, 5, dtype=torch.bool), offsets)
    assert math.isclose(disagreement(p, kernel * there, offsets).item(), wanted, rel_tol=1e-9)
    one = torch.zeros(2, 3, 4, 5).index_fill_(1, torch.tensor([1]), 1.0)
    assert abs(disagreement(one, (kernel * there).float(), offsets)) < 1e-4


def test_gradients_are_those_of_differences():
    torch.manual_seed(0)
    offsets = square_offsets(2)
    p = torch.rand(2, 3, 4, 3, dtype=torch.float64, requires_grad=True)
    kernel = torch.rand(2, 12, 4, 3, dtype=torch.float64)
    kernel *= both(torch.ones(2, 4, 3, dtype=torch.bool), offsets)
    assert torch.autograd.gradcheck(lambda p: disagreement(p, kernel, offsets), p)
    f = torch.randn(2, 5, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: distances(f, offsets)[0], f)
    assert not distances(f, offsets)[1].requires_grad


def test_a_sum_of_pairs_as_the_mean_of_the_cells_inside():
    assert per_cell(torch.tensor(6.0), torch.tensor([[[True, True], [False, True]]])) == 4
    assert per_cell(torch.tensor(6.0), torch.tensor([[[True, False]]])) == 12
    assert per_cell(torch.tensor(0.0), torch.zeros(1, 2, 2, dtype=torch.bool)) == 0
