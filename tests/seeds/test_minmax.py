"""The MinMax methods against loops over classes, channels and places, and their identities."""

import itertools

import pytest
import torch

from stages.seeds import cam, contrast, d_minmax_grad_cam, grad_cam, minmax_cam, minmax_grad_cam
from stages.seeds.layers import gradients, real, values_and_scores
from tests.seeds.tiny import classifier, pictures

CLASSES = torch.tensor([[0, 3, 1], [2, 1, 2], [3, 3, 3]])  # of 3, 2 and 1 classes
COUNTS = [3, 2, 1]
MIDDLE = "encoder.levels.1"


@pytest.fixture(scope="module")
def model():
    return classifier()


def inputs(side: int = 33) -> torch.Tensor:
    return torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(2)).double()


def own(row: int) -> list[int]:
    return CLASSES[row, : COUNTS[row]].tolist()


def test_what_equals_the_first_is_a_repeat():
    wanted = [[True, True, True], [True, True, False], [True, False, False]]
    assert real(CLASSES).tolist() == wanted
    assert real(torch.tensor([[0], [0]])).tolist() == [[True], [True]]
    assert real(torch.zeros(1, 3, dtype=torch.long)).tolist() == [[True, False, False]]


def test_coefficients_by_hand():
    three, two, one = contrast.coefficients(CLASSES).tolist()
    assert three == [[1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, -0.5, 1]]
    assert [row[:2] for row in two[:2]] == [[1, -1], [-1, 1]] and [row[2] for row in two[:2]] == [0, 0]
    assert one[0] == [1, 0, 0]
    assert contrast.coefficients(CLASSES[:1, :1]).tolist() == [[[1]]]


def test_minmax_cam_by_loops_over_classes_channels_and_places(model):
    found, values = minmax_cam.attribution(model, inputs(), CLASSES, "last"), model.features(inputs())
    rows = model.head.weight.flatten(1)
    for row, n in enumerate(COUNTS):
        for k, c in enumerate(own(row)):
            wanted = torch.zeros(values.shape[2:]).double()
            for d in range(values.shape[1]):
                others = [float(rows[m, d]) for m in own(row) if m != c]
                weight = float(rows[c, d]) - (sum(others) / (n - 1) if n > 1 else 0)
                for i, j in itertools.product(range(values.shape[2]), range(values.shape[3])):
                    wanted[i, j] += weight * values[row, d, i, j]
            assert wanted.abs().max() > 0.1
            torch.testing.assert_close(found[row, k], wanted)


def test_identities_of_minmax_cam(model):
    maps = minmax_cam.attribution(model, inputs(), CLASSES, "last")
    scores = model(inputs())
    for row, n in enumerate(COUNTS):
        for k, c in enumerate(own(row)):
            others = sum(scores[row, m] for m in own(row) if m != c) / max(1, n - 1)
            torch.testing.assert_close(maps[row, k].mean(), scores[row, c] - others)
    torch.testing.assert_close(maps[0].sum(0), torch.zeros_like(maps[0, 0]))
    torch.testing.assert_close(maps[1, 0], -maps[1, 1])
    torch.testing.assert_close(maps[2, 0], cam.attribution(model, inputs(), CLASSES, "last")[2, 0])


@pytest.mark.parametrize("method", [minmax_grad_cam, d_minmax_grad_cam])
@pytest.mark.parametrize("layer", [MIDDLE, "last"])
def test_a_padded_row_gives_what_it_gives_alone(model, method, layer):
    """A repeat in the row does not count: neither in n, nor among the others."""
    together = method.attribution(model, inputs(), CLASSES, layer)
    for row, n in enumerate(COUNTS):
        alone = method.attribution(model, inputs()[row : row + 1], CLASSES[row : row + 1, :n], layer)
        torch.testing.assert_close(together[row, :n], alone[0])


@pytest.mark.parametrize("layer", [MIDDLE, "encoder.levels.4", "last"])
def test_minmax_grad_cam_is_grad_cam_of_the_difference_of_scores(model, layer):
    """The gradient of J_c itself, by one backward pass of a picture and class."""
    found = minmax_grad_cam.attribution(model, inputs(), CLASSES, layer)
    for row, n in enumerate(COUNTS):
        for k, c in enumerate(own(row)):
            values, scores = values_and_scores(model, inputs()[row : row + 1], layer)
            goal = scores[0, c] - sum(scores[0, m] / (n - 1) for m in own(row) if m != c)
            (slope,) = torch.autograd.grad(goal, values)
            wanted = (slope.sum((2, 3), keepdim=True) * values).sum(1)[0].detach()
            torch.testing.assert_close(found[row, k], wanted, rtol=1e-8, atol=1e-10)


def test_minmax_grad_cam_before_the_head_is_minmax_cam(model):
    wanted = minmax_cam.attribution(model, inputs(), CLASSES, "last")
    for layer in ("last", "encoder.levels.4"):
        torch.testing.assert_close(minmax_grad_cam.attribution(model, inputs(), CLASSES, layer), wanted)


@pytest.mark.parametrize("layer", [MIDDLE, "last"])
def test_d_minmax_by_the_slide_s_formula_at_every_place(model, layer):
    found = d_minmax_grad_cam.attribution(model, inputs(), CLASSES, layer)
    values, scores = values_and_scores(model, inputs(), layer)
    slopes = torch.stack(list(gradients(values, scores, torch.arange(4).expand(3, 4))), 1)
    of_sum = of_each = 0.0
    for row, n in enumerate(COUNTS):
        for k, c in enumerate(own(row)):
            others = [slopes[row, m] for m in own(row) if m != c]
            weight = slopes[row, c].clamp(min=0)
            if others:
                weight = weight - sum(others).clamp(min=0) / (n - 1)
                of_sum += float(sum(others).clamp(min=0).sum())
                of_each += float(sum(slope.clamp(min=0) for slope in others).sum())
            weight = weight + sum(slopes[row, m] for m in own(row)).clamp(max=0) / n
            wanted = (weight.sum((1, 2))[:, None, None] * values[row]).sum(0).detach()
            assert wanted.abs().max() > 0
            torch.testing.assert_close(found[row, k], wanted, rtol=1e-8, atol=1e-10)
    assert of_each > 1.05 * of_sum  # the sum of ReLUs would be another method


@pytest.mark.parametrize("layer", [MIDDLE, "last"])
def test_d_minmax_of_one_class_is_grad_cam(model, layer):
    """ReLU(g) + min(0, g) = g."""
    one = CLASSES[:, :1]
    wanted = grad_cam.attribution(model, inputs(), one, layer)
    torch.testing.assert_close(d_minmax_grad_cam.attribution(model, inputs(), one, layer), wanted)


def test_d_minmax_of_two_classes_and_positive_rows_is_minmax():
    model, two = classifier(), CLASSES[:2, :2]
    model.head.weight.abs_()
    wanted = minmax_cam.attribution(model, pictures(), two, "last")
    assert wanted.abs().max() > 0.1
    torch.testing.assert_close(d_minmax_grad_cam.attribution(model, pictures(), two, "last"), wanted)
