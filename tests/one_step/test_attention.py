"""R-FAM by hand on 2 x 2 cells, and against torch's own attention where nothing is re-weighted."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.one_step.attention import attended, coefficients


def test_coefficients_by_hand() -> None:
    """Rows with 2, 4, 1 and 0 positive affinities; N+ is 1 at least."""
    affinity = torch.tensor([
        [3.0, -1.0, 5.0, -2.0],
        [1.0, 2.0, 4.0, 3.0],
        [-4.0, 0.5, -1.0, 0.0],
        [-1.0, -4.0, -3.0, -2.0],
    ])  # fmt: skip
    half, root = math.sqrt(0.5), math.sqrt
    wanted = torch.tensor([
        [2 / 2, half, 1 / 2, root(1.0)],  # ranks 2, 3, 1, 4: e / 2, and sqrt(|2 - e| / 2)
        [4 / 4, 3 / 4, 1 / 4, 2 / 4],
        [root(3.0), 1.0, root(2.0), root(1.0)],  # 0 is not positive; above 1 where N > 2 N+, as printed
        [0.0, root(3.0), root(2.0), 1.0],
    ])  # fmt: skip
    torch.testing.assert_close(coefficients(affinity), wanted)


def test_equal_affinities_are_ranked_in_their_order() -> None:
    torch.testing.assert_close(coefficients(torch.ones(1, 4)), torch.tensor([[0.25, 0.5, 0.75, 1.0]]))


def test_ranks_are_counted_in_float32() -> None:
    torch.manual_seed(0)
    affinity = torch.randn(2, 700).bfloat16()
    found = coefficients(affinity)
    assert found.dtype == torch.float32 and torch.equal(found, coefficients(affinity.float()))


def maps(*shape: int) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(2, 3, *shape, requires_grad=True) for _ in range(3)]


def test_plain_is_scaled_dot_product_attention() -> None:
    f1, f2, f3 = maps(4, 5)
    query, key, value = (f.flatten(2).transpose(1, 2) for f in (f1, f2, f3))
    wanted = F.scaled_dot_product_attention(query, key, value, scale=1.0)
    torch.testing.assert_close(attended(f1, f2, f3, False).flatten(2).transpose(1, 2), wanted)


def test_reweighted_cell_by_cell() -> None:
    f1, f2, f3 = maps(2, 2)
    found = attended(f1, f2, f3, True).flatten(2)
    for b in range(2):
        for k in range(4):
            a = [float((f1[b].flatten(1)[:, k] @ f2[b].flatten(1)[:, m]).detach()) for m in range(4)]
            share = torch.tensor(a).softmax(0)
            positive = max(1, sum(value > 0 for value in a))
            total = torch.zeros(3)
            for m, value in enumerate(a):
                e = 1 + sum(other > value for other in a)
                w = e / positive if value > 0 else math.sqrt(abs(positive - e) / positive)
                total += share[m] * w * f3[b].flatten(1)[:, m].detach()
            torch.testing.assert_close(found[b, :, k], total)


def test_the_gradient_takes_the_coefficients_for_numbers() -> None:
    """Of the sum over F3 = 1 it is that of the softmax alone, times w."""
    f1, f2, _ = maps(2, 2)
    attended(f1, f2, torch.ones(2, 3, 2, 2), True).sum().backward()
    own, other = (f.detach().clone().requires_grad_() for f in (f1, f2))
    affinity = own.flatten(2).transpose(1, 2) @ other.flatten(2)
    (3 * (affinity.softmax(2) * coefficients(affinity).detach()).sum()).backward()
    torch.testing.assert_close(f1.grad, own.grad)
    torch.testing.assert_close(f2.grad, other.grad)
