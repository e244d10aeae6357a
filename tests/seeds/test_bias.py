"""Each constant that a network adds, against the bias by its definition: f(x) - <gradient, x>."""

import pytest
import torch
from torch.nn import functional as F

from stages.seeds import bias

G = torch.Generator().manual_seed(0)


def random(*size: int) -> torch.Tensor:
    return torch.randn(*size, generator=G, dtype=torch.float64)


X, KERNEL, ROWS = 3 * random(2, 3, 5, 4), random(4, 3, 3, 3), random(6, 4)
OF_KERNEL, OF_ROWS = random(4), random(6)
MEAN, VAR, GAMMA, BETA = random(3), random(3).square() + 1e-4, random(3), random(3)
FUNCTIONS = {
    "conv": lambda x: F.conv2d(x, KERNEL, OF_KERNEL, 2, 1),
    "conv, by name": lambda x: F.conv2d(x, KERNEL, bias=OF_KERNEL, padding=1),
    "linear": lambda x: F.linear(x, ROWS, OF_ROWS),
    "linear, by name": lambda x: F.linear(x, ROWS, bias=OF_ROWS),
    "batch norm": lambda x: F.batch_norm(x, MEAN, VAR),
    "batch norm, gamma": lambda x: F.batch_norm(x, MEAN, VAR, GAMMA),
    "batch norm, beta": lambda x: F.batch_norm(x, MEAN, VAR, bias=BETA),
    "batch norm, all": lambda x: F.batch_norm(x, MEAN, VAR, GAMMA, BETA, False, 0.1, 0.3),
    "hardtanh": lambda x: F.hardtanh(x),
    "hardtanh, bounds": lambda x: F.hardtanh(x, -2.5, 1.5),
    "hardtanh, one bound": lambda x: F.hardtanh(x, max_val=0.5),
    "relu6": lambda x: F.relu6(3 * x),
    "in place": lambda x: F.relu6(F.conv2d(x, KERNEL, OF_KERNEL), inplace=True),
    "a chain": lambda x: F.linear(F.relu(F.batch_norm(x, MEAN, VAR, GAMMA, BETA)), ROWS, OF_ROWS),
}
WITHOUT = {
    "conv": lambda x: F.conv2d(x, KERNEL),
    "linear": lambda x: F.linear(x, ROWS),
    "relu": F.relu,
    "pool": lambda x: F.max_pool2d(x, 2),
}


def constants_of(function):
    """The sum over the constants found of <slope, constant>, and how many there are; as the module does."""
    with bias.Constants() as constants:
        out = function(X)
    weights = torch.linspace(1, 2, out.numel(), dtype=out.dtype).view(out.shape)  # a score of all outputs
    if not constants.found:
        return torch.zeros((), dtype=out.dtype), 0
    slopes = torch.autograd.grad((out * weights).sum(), [place for place, _ in constants.found])
    pairs = zip(slopes, constants.found, strict=True)
    return sum((slope * constant).sum() for slope, (_, constant) in pairs), len(constants.found)


def by_definition(function):
    x = X.clone().requires_grad_()
    out = function(x)
    score = (out * torch.linspace(1, 2, out.numel(), dtype=out.dtype).view(out.shape)).sum()
    (gradient,) = torch.autograd.grad(score, x)
    return (score - (gradient * x).sum()).detach()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_a_function_adds(name):
    found, count = constants_of(FUNCTIONS[name])
    wanted = by_definition(FUNCTIONS[name])
    assert wanted.abs() > 0.1 and count >= 1
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", WITHOUT)
def test_what_adds_nothing(name):
    assert constants_of(WITHOUT[name])[1] == 0 and by_definition(WITHOUT[name]).abs() < 1e-9


OWN = torch.tensor([[1.0, -4.0]])
SCORES = torch.tensor([[2.0, 3.0]])


@pytest.mark.parametrize(
    ("own", "left", "scores", "said"),
    [
        (OWN, OWN + 0.039, SCORES, False),  # a hundredth of the largest of all, which is a negative bias
        (OWN, OWN - 0.041, SCORES, True),
        (OWN / 10, OWN / 10 + 0.029, SCORES, False),  # of the largest score
        (OWN / 10, OWN / 10 + 0.031, SCORES, True),
        (OWN / 10, OWN / 10 + 0.039, SCORES - 7, False),  # -5 and -4
        (OWN / 10, torch.tensor([[0.1, -20.0]]), SCORES / 1e9, True),
        (torch.tensor([[0.0, 4.0]]), torch.tensor([[0.0, 4.039]]), SCORES / 1e9, False),  # of what is left
        (torch.tensor([[0.0, -4.0]]), torch.tensor([[0.0, -4.0402]]), SCORES / 1e9, False),
        (torch.tensor([[0.0, 4.0]]), torch.tensor([[0.0, 4.0402]]), SCORES / 1e9, False),
        (torch.tensor([[0.0, 4.0]]), torch.tensor([[0.0, 3.9603]]), SCORES / 1e9, False),  # of its own
        (torch.tensor([[0.0, -4.0]]), torch.tensor([[0.0, -3.9603]]), SCORES / 1e9, False),
    ],
)
def test_a_bias_that_differs_by_more_than_a_hundredth_is_said(own, left, scores, said):
    assert bool(bias.remark(own, left, scores, "layer3")) == said


def test_the_line_names_the_worst():
    left, scores = torch.tensor([[1.0, 1.5], [-3.25, 1.0]]), torch.arange(4.0).view(2, 2)
    line = bias.remark(torch.ones(2, 2), left, scores, "encoder.layer3")
    assert "above encoder.layer3" in line and "leave -3.25 of the score 2," in line and "give 1;" in line
