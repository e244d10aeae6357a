"""The bilateral filter by a double loop, of pixels that take part, and its gradient."""

import math

import numpy as np
import pytest
import torch

from stages.common import bilateral as module
from stages.common.bilateral import bilateral
from tests.common.scenes import pictures, probabilities

METHODS = ["lattice", "exact"]


def some(*shape: int, share: float = 0.8, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < share


def kernel(
    a: np.ndarray, b: np.ndarray, i: tuple[int, int], j: tuple[int, int], xy: float, rgb: float
) -> float:
    place, colour = (i[0] - j[0]) ** 2 + (i[1] - j[1]) ** 2, ((a - b) ** 2).sum()
    return math.exp(-place / (2 * xy**2) - colour / (2 * rgb**2))


def test_exact_by_a_double_loop():
    rgb, values, inside = pictures(2, 6, 7).double(), torch.rand(2, 3, 6, 7).double(), some(2, 6, 7)
    found = bilateral(values, rgb, inside, 4.0, 20.0, "exact")
    wanted = np.zeros((2, 3, 6, 7))
    for b in range(2):
        pixels = [tuple(at) for at in np.argwhere(inside[b].numpy())]
        for i in pixels:
            for j in pixels:
                a = kernel(rgb[b, :, *i].numpy(), rgb[b, :, *j].numpy(), i, j, 4.0, 20.0)
                wanted[b, :, *i] += a * values[b, :, *j].numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def test_exact_does_not_depend_on_its_blocks_nor_on_faint_pairs(monkeypatch):
    rgb, values, inside = pictures(2, 9, 9), torch.rand(2, 2, 9, 9), some(2, 9, 9)
    whole = bilateral(values, rgb, inside, 1.0, 2.0, "exact")
    monkeypatch.setattr(module, "PAIRS", 100)
    torch.testing.assert_close(bilateral(values, rgb, inside, 1.0, 2.0, "exact"), whole)
    monkeypatch.setattr(module, "FAINT", -math.inf)
    torch.testing.assert_close(bilateral(values, rgb, inside, 1.0, 2.0, "exact"), whole)


@pytest.mark.parametrize("method", METHODS)
def test_a_border_of_another_colour_takes_no_part(method):
    rgb, values = pictures(1, 12, 14), torch.rand(1, 3, 12, 14)
    wanted = bilateral(values, rgb, torch.ones(1, 12, 14, dtype=torch.bool), 5.0, 15.0, method)
    wide = [torch.full((1, channels, 20, 24), fill) for channels, fill in ((3, 124.0), (3, 0.7))]
    inside = torch.zeros(1, 20, 24, dtype=torch.bool)
    window = (..., slice(3, 15), slice(6, 20))
    inside[window], wide[0][window], wide[1][window] = True, rgb, values
    found = bilateral(wide[1], wide[0], inside, 5.0, 15.0, method)
    if method == "exact":  # a lattice's cells depend on where the picture lies
        torch.testing.assert_close(found[window], wanted, rtol=1e-5, atol=1e-5)
    assert not found[~inside[:, None].expand_as(found)].any()
    changed = torch.where(inside[:, None], wide[0], 255.0), torch.where(inside[:, None], wide[1], -9.0)
    assert torch.equal(bilateral(changed[1], changed[0], inside, 5.0, 15.0, method), found)


@pytest.mark.parametrize("method", METHODS)
def test_its_gradient(method):
    rgb, inside = pictures(2, 5, 6).double(), some(2, 5, 6)
    values = torch.rand(2, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: bilateral(v, rgb, inside, 3.0, 20.0, method), values)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_inside_and_pictures_without_a_pixel(method):
    rgb, values = pictures(3, 6, 6), torch.rand(3, 2, 6, 6)
    assert not bilateral(values, rgb, torch.zeros(3, 6, 6, dtype=torch.bool), 3.0, 20.0, method).any()
    inside = some(3, 6, 6)
    inside[1] = False
    found = bilateral(values, rgb, inside, 3.0, 20.0, method)
    two = [0, 2]
    torch.testing.assert_close(found[two], bilateral(values[two], rgb[two], inside[two], 3.0, 20.0, method))
    assert not found[1].any()


@pytest.mark.parametrize("method", METHODS)
def test_it_is_in_float32_whatever_the_training_is_in(method):
    rgb, inside = pictures(1, 8, 8), some(1, 8, 8)
    values = probabilities(1, 3, 8, 8).requires_grad_()
    plain = bilateral(values, rgb, inside, 3.0, 20.0, method)
    (slope,) = torch.autograd.grad(plain.square().sum(), values)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = bilateral(values, rgb, inside, 3.0, 20.0, method)
        (again,) = torch.autograd.grad(mixed.square().sum(), values)
    assert mixed.dtype == torch.float32 and torch.equal(mixed, plain) and torch.equal(again, slope)


@pytest.mark.parametrize("method", METHODS)
def test_equal_inputs_give_equal_bytes(method):
    rgb, inside, values = pictures(2, 20, 20), some(2, 20, 20), probabilities(2, 4, 20, 20)
    found = [bilateral(values.clone(), rgb.clone(), inside, 9.0, 15.0, method) for _ in range(3)]
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
