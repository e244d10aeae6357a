"""What holds for every loss, with every balance: unknown pixels, weights, large scores, gradients."""

import importlib
from typing import Any

import pytest
import torch
from torch import Tensor

from stages.segmenter import loss_params
from stages.segmenter.losses import Extra

EDGES = {"form": "unet", "w0": 10, "sigma": 5, "bands": []}
CASES: list[tuple[str, str, dict[str, Any]]] = [
    *(("cross_entropy", "CrossEntropy", {"balance": b}) for b in ("none", "inverse", "sides")),
    ("focal", "Focal", {"gamma": 2, "balance": "none"}),
    ("focal", "Focal", {"gamma": 0.5, "balance": "sides"}),
    ("focal", "Focal", {"gamma": 1, "balance": "median"}),
    *(("edge_weighted", "EdgeWeighted", {**EDGES, "balance": b}) for b in ("none", "inverse", "sides")),
    ("edge_weighted", "EdgeWeighted", {**EDGES, "form": "caliva", "balance": "median"}),
    *(("dice", "Dice", {"form": form, "ce": 1}) for form in ("plain", "log", "log_cosh")),
    ("dice", "Dice", {"form": "plain", "ce": 0}),
    ("lovasz", "Lovasz", {"ce": 0}), ("lovasz", "Lovasz", {"ce": 0.5}),
]  # fmt: skip
WEIGHTS = torch.tensor([0.5, 2.0, 0.0, 1.5])


COUNTED = ("inverse", "median")
WEIGHTED = [case for case in CASES if case[2].get("balance") in COUNTED and case[2].get("form") != "unet"]


def named(case: tuple[str, str, dict[str, Any]]) -> str:
    return f"{case[0]} {' '.join(map(str, case[2].values()))}"


@pytest.fixture(params=CASES, ids=named)
def case(request: pytest.FixtureRequest) -> tuple[Any, Any, bool]:
    """The loss, its options, and whether it takes the classes' weights."""
    name, section, values = request.param
    loss = importlib.import_module(f"stages.segmenter.losses.{name}").loss
    options = getattr(loss_params, section).model_validate(values)
    return loss, options, values.get("balance") in COUNTED


def of(case: tuple[Any, Any, bool], scores: Tensor, labels: Tensor, factor: float = 1.0) -> Tensor:
    loss, options, weighted = case
    pixels = torch.rand(labels.shape, generator=torch.Generator().manual_seed(1))
    found: Tensor = loss(scores, labels, options, Extra(factor * WEIGHTS if weighted else None, pixels))
    return found


def batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    labels = torch.randint(0, 4, (2, 6, 7))
    labels[:, :2] = 255
    return torch.randn(2, 4, 6, 7, requires_grad=True), labels


def test_a_batch_of_unknown_pixels_costs_nothing_and_moves_nothing(case):
    scores, labels = batch()
    found = of(case, scores, torch.full_like(labels, 255))
    assert found == 0 and found.shape == ()
    found.backward()
    assert torch.equal(scores.grad, torch.zeros_like(scores))


def test_a_batch_that_shows_no_class_is_learnt(case):
    """As of pictures without any: a step along the loss's slope makes the background likelier."""
    scores, labels = batch()
    found = of(case, scores, torch.zeros_like(labels))
    found.backward()
    assert found.isfinite() and found > 0 and scores.grad.isfinite().all() and scores.grad.any()
    after = (scores - 1e-2 * scores.grad).detach()
    assert after.softmax(1)[:, 0].mean() > scores.detach().softmax(1)[:, 0].mean()
    assert of(case, after, torch.zeros_like(labels)) < found


def test_nothing_under_unknown_pixels_matters(case):
    scores, labels = batch()
    first = of(case, scores, labels)
    first.backward()
    under = (labels == 255)[:, None].expand_as(scores)
    assert torch.equal(scores.grad[under], torch.zeros_like(scores.grad[under]))
    assert scores.grad[~under].abs().sum() > 0
    with torch.no_grad():
        again = of(case, torch.where(under, 50 * torch.randn_like(scores), scores), labels)
    torch.testing.assert_close(first.detach(), again)


def test_the_gradient_is_the_slope(case):
    """Along a random line, by central differences."""
    scores, labels = batch()
    line = torch.randn_like(scores)
    of(case, scores, labels).backward()
    with torch.no_grad():
        high, low = (of(case, scores + step * line, labels) for step in (1e-2, -1e-2))
    torch.testing.assert_close((scores.grad * line).sum(), (high - low) / 2e-2, rtol=2e-2, atol=2e-3)


def test_it_is_float32_whatever_the_scores_are(case):
    scores, labels = batch()
    rough = scores.detach().bfloat16()
    found = of(case, rough, labels)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, of(case, rough.float(), labels))


@pytest.mark.parametrize("case", WEIGHTED, ids=named, indirect=True)
def test_weights_times_a_factor_are_the_loss_times_it(case):
    """But for the form unet, which adds the edges' weight."""
    scores, labels = batch()
    torch.testing.assert_close(of(case, scores, labels, 3.0), 3 * of(case, scores, labels))


def test_surely_right_and_surely_wrong_are_finite(case):
    _, labels = batch()
    right = torch.zeros(2, 4, 6, 7).scatter(1, torch.where(labels == 255, 0, labels)[:, None], 200.0)
    for values in (right, -right):
        values = values.requires_grad_()
        found = of(case, values, labels)
        found.backward()
        assert torch.isfinite(found) and torch.isfinite(values.grad).all()
    assert of(case, right.detach(), labels) < 1e-6
