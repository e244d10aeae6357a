"""The dense energy by a double loop, what it must be in closed form, and its gradient."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from stages.common.bilateral import bilateral
from stages.common.dense_energy import dense_energy
from stages.common.dense_energy_params import DenseEnergy
from tests.common.scenes import pictures, probabilities

METHODS = ["lattice", "exact"]


def options(**changes: Any) -> DenseEnergy:
    values = {"weight": 1.0, "method": "exact", "scale": 1.0, "sigma_xy": 5.0, "sigma_rgb": 15.0}
    return DenseEnergy.model_validate(values | changes)


def some(*shape: int, share: float = 0.7, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < share


def whole(*shape: int) -> torch.Tensor:
    return torch.ones(shape, dtype=torch.bool)


def by_loops(p: np.ndarray, rgb: np.ndarray, labelled: np.ndarray, inside: np.ndarray) -> float:
    """Of one picture, all in float64, with the deviations of `options`."""
    pixels, above, below = np.argwhere(inside), 0.0, 0.0
    for i in map(tuple, pixels):
        gate = 1 - p[:, *i].max() if labelled[i] else 1.0
        for j in map(tuple, pixels):
            colour = ((rgb[:, *i] - rgb[:, *j]) ** 2).sum() / (2 * 15.0**2)
            a = math.exp(-((i[0] - j[0]) ** 2 + (i[1] - j[1]) ** 2) / (2 * 5.0**2) - colour)
            unequal = sum(
                p[c, *i] * p[d, *j] for c in range(len(p)) for d in range(len(p)) if c != d
            )  # ZHANG 2.19
            above, below = above + gate * a * unequal, below + a
    return above / below


def test_by_a_double_loop():
    p, rgb = probabilities(2, 3, 12, 12).double(), pictures(2, 12, 12).double()
    labelled, inside = some(2, 12, 12, share=0.5), some(2, 12, 12, share=0.6, seed=1)
    found = dense_energy(p, rgb, labelled, inside, options())
    parts = [by_loops(*(maps[b].numpy() for maps in (p, rgb, labelled, inside))) for b in range(2)]
    assert found.item() == pytest.approx(np.mean(parts), rel=1e-8) and 0.05 < found < 1


@pytest.mark.parametrize("method", METHODS)
def test_one_class_everywhere_costs_nothing(method):
    p = torch.zeros(2, 4, 10, 10)
    p[0, 2], p[1, 0] = 1, 1
    cost = dense_energy(p, pictures(2, 10, 10), some(2, 10, 10), some(2, 10, 10), options(method=method))
    assert cost == 0


@pytest.mark.parametrize("method", METHODS)
def test_nothing_known_costs_the_mean_gate(method):
    """Uniform over C + 1 classes: the mean of the gates, weighted by sum_j A_ij, times C / (C + 1)."""
    rgb, labelled, inside = pictures(1, 10, 10), some(1, 10, 10, share=0.5), some(1, 10, 10, seed=1)
    p = torch.full((1, 4, 10, 10), 0.25)
    mass = bilateral(torch.ones(1, 1, 10, 10), rgb, inside, 5.0, 15.0, method)[:, 0]
    gate = torch.where(labelled, 0.75, 1.0)
    wanted = 0.75 * (gate * mass).sum() / mass.sum()
    torch.testing.assert_close(dense_energy(p, rgb, labelled, inside, options(method=method)), wanted)


def test_the_border_of_a_view_changes_nothing():
    p, rgb, labelled = probabilities(1, 3, 12, 10), pictures(1, 12, 10), some(1, 12, 10)
    wanted = dense_energy(p, rgb, labelled, whole(1, 12, 10), options(scale=0.5))
    around = (4, 6, 2, 8)  # even ones: at half the size the same pixels stay
    found = dense_energy(
        F.pad(p, around, value=0.3), F.pad(rgb, around, value=124), F.pad(labelled, around, value=False),
        F.pad(whole(1, 12, 10), around, value=False), options(scale=0.5),
    )  # fmt: skip
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("method", METHODS)
def test_its_gradient(method):
    """-(s (A p) + A^T (s p)) / sum A, with s as it stands: not the -2 s (A p) of ZHANG's code."""
    p, rgb = probabilities(1, 3, 7, 8).double().requires_grad_(), pictures(1, 7, 8).double()
    labelled, inside = some(1, 7, 8, share=0.5), some(1, 7, 8, seed=1)
    (found,) = torch.autograd.grad(dense_energy(p, rgb, labelled, inside, options(method=method)), p)
    unit = torch.eye(56, dtype=torch.float64).view(1, 56, 7, 8)  # a channel for each pixel
    a = bilateral(unit, rgb, inside, 5.0, 15.0, method)[0].flatten(1).T
    gate = torch.where(labelled, 1 - p.amax(1), 1.0).flatten().detach()
    q = p.detach()[0].flatten(1).T
    wanted = -(gate[:, None] * (a @ q) + a.T @ (gate[:, None] * q)) / a.sum()
    torch.testing.assert_close(found[0].flatten(1).T, wanted)
    assert torch.autograd.gradcheck(
        lambda x: dense_energy(x, rgb, torch.zeros_like(labelled), inside, options(method=method)), p
    )


def test_autograd_agrees_with_the_plain_formula():
    """Written with the dense matrix and nothing of ours."""
    p, rgb = probabilities(1, 3, 8, 8).requires_grad_(), pictures(1, 8, 8)
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    points = torch.cat([torch.stack([y, x]) / 5, rgb[0] / 15]).flatten(1).T
    a = (-0.5 * (points[:, None] - points).square().sum(2)).exp()
    labelled, flat = some(1, 8, 8), p[0].flatten(1).T
    gate = torch.where(labelled.flatten(), 1 - flat.amax(1).detach(), 1.0)
    energy = (gate[:, None] * a * (1 - flat @ flat.T)).sum() / a.sum()
    found = dense_energy(p, rgb, labelled, whole(1, 8, 8), options())
    torch.testing.assert_close(found, energy)
    slopes = [torch.autograd.grad(value, p)[0] for value in (found, energy)]
    torch.testing.assert_close(slopes[0], slopes[1], rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize(
    ("size", "scale"), [((12, 16), 0.5), ((11, 13), 0.5), ((9, 15), 0.37), ((3, 40), 0.1), ((40, 3), 0.1)]
)
def test_at_a_smaller_scale(size, scale):
    """Probabilities bilinear, all else from the nearest pixel, and the deviation of places shrinks too."""
    p, rgb, labelled, inside = (
        probabilities(2, 3, *size),
        pictures(2, *size),
        some(2, *size),
        some(2, *size, seed=1),
    )
    small = tuple(round(scale * side) or 1 for side in size)

    def nearest(maps: torch.Tensor) -> torch.Tensor:
        return F.interpolate(maps[:, None].float(), small, mode="nearest")[:, 0] > 0

    found = dense_energy(p, rgb, labelled, inside, options(scale=scale, sigma_xy=20.0))
    bilinear = F.interpolate(p, small, mode="bilinear", align_corners=False)
    others = F.interpolate(rgb, small, mode="nearest"), nearest(labelled), nearest(inside)
    wanted = dense_energy(bilinear, *others, options(sigma_xy=20.0 * scale))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("method", METHODS)
def test_it_hardly_depends_on_the_size_of_the_view(method):
    """A is normalised: the same scene with twice as many pixels a side has the same energy, about."""
    small = pictures(1, 20, 20)
    soft = F.interpolate(probabilities(1, 3, 5, 5), (20, 20), mode="bilinear")
    large = [F.interpolate(maps, (40, 40), mode="bilinear") for maps in (soft, small)]
    one = dense_energy(soft, small, some(1, 20, 20, share=0), whole(1, 20, 20), options(method=method))
    two = dense_energy(
        *large, some(1, 40, 40, share=0), whole(1, 40, 40), options(method=method, sigma_xy=10.0)
    )
    assert one == pytest.approx(two.item(), rel=0.05)


def test_lattice_and_exact_are_near_each_other():
    p, rgb = F.interpolate(probabilities(1, 3, 6, 6), (36, 36), mode="bilinear"), pictures(1, 36, 36)
    inputs = p, rgb, some(1, 36, 36), whole(1, 36, 36)
    costs = [dense_energy(*inputs, options(method=method, sigma_xy=10.0)).item() for method in METHODS]
    assert costs[0] == pytest.approx(costs[1], rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_a_view_without_a_pixel(method):
    p = probabilities(1, 3, 6, 6).requires_grad_()
    cost = dense_energy(p, pictures(1, 6, 6), some(1, 6, 6), ~whole(1, 6, 6), options(method=method))
    cost.backward()
    assert cost == 0 and not p.grad.any()


@pytest.mark.parametrize("method", METHODS)
def test_equal_inputs_give_equal_bytes(method):
    results = []
    for _ in range(2):
        p = probabilities(2, 4, 24, 24).requires_grad_()
        cost = dense_energy(
            p,
            pictures(2, 24, 24),
            some(2, 24, 24),
            some(2, 24, 24, seed=1),
            options(method=method, scale=0.5),
        )
        cost.backward()
        results.append((cost, p.grad))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
