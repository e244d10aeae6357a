"""Cross-entropy of the two sides and the distance of classes, by hand and by double loops."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from stages.one_step.losses import class_distance, cross_entropy

U = 255


def scores_of(labels: Tensor, classes: int) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(labels.shape[0], classes, *labels.shape[1:], requires_grad=True)


def test_the_sides_are_averaged_apart() -> None:
    labels = torch.tensor([[[0, 0, 0, U], [2, 1, U, 0]]])
    scores = scores_of(labels, 3)
    costs = -scores.log_softmax(1)
    ground = [costs[0, 0, 0, 0], costs[0, 0, 0, 1], costs[0, 0, 0, 2], costs[0, 0, 1, 3]]
    rest = [costs[0, 2, 1, 0], costs[0, 1, 1, 1]]
    torch.testing.assert_close(cross_entropy(scores, labels), sum(ground) / 4 + sum(rest) / 2)


@pytest.mark.parametrize(("label", "sides"), [(0, 1), (2, 1), (U, 0)])
def test_a_side_without_pixels_costs_nothing(label: int, sides: int) -> None:
    labels = torch.full((1, 2, 2), label)
    scores = scores_of(labels, 3)
    found = cross_entropy(scores, labels)
    found.backward()
    wanted = F.cross_entropy(scores, labels) if sides else torch.zeros(())
    torch.testing.assert_close(found, wanted)
    assert scores.grad is not None and torch.isfinite(scores.grad).all()


def everywhere(predicted: Tensor) -> Tensor:
    return torch.ones_like(predicted, dtype=torch.bool)


def test_two_orthogonal_classes_with_constant_features() -> None:
    """Foreground e1 and e2, background e3: cos is 0 everywhere, so a + b, and nothing within."""
    predicted = torch.tensor([[[1, 2], [0, 0]], [[1, 1], [2, 0]]])
    axes = torch.tensor([[0.0, 0, 2], [3, 0, 0], [0, 5, 0]])
    features = axes[predicted].movedim(3, 1)
    found = class_distance(features, predicted, everywhere(predicted), 0.5)
    torch.testing.assert_close(found, torch.tensor(0.5 + 0.5))
    same = axes[torch.where(predicted > 0, 1, 0)].movedim(3, 1)  # both classes look alike: cos 1
    torch.testing.assert_close(class_distance(same, predicted, everywhere(predicted), 0.5), torch.tensor(1.5))
    opposite = torch.where(predicted[:, None] > 0, 1.0, -1.0).expand(2, 3, 2, 2)  # of the background: cos -1
    torch.testing.assert_close(
        class_distance(opposite, predicted, everywhere(predicted), 0.5), torch.tensor(1.0)
    )


def by_loops(features: Tensor, predicted: Tensor, counted: Tensor, between: float) -> Tensor:
    """Eq. 2.24-2.26 cell by cell, with the code's means over centres."""
    members: dict[tuple[str, int], list[Tensor]] = {}
    for b, y, x in counted.nonzero().tolist():
        label = int(predicted[b, y, x])
        members.setdefault(("class", label) if label else ("ground", b), []).append(features[b, :, y, x])
    centres = {name: torch.stack(cells).mean(0) for name, cells in members.items()}

    def cos(one: Tensor, other: Tensor) -> Tensor:
        return (one @ other) / (one.norm() * other.norm())

    classes = [centre for (kind, _), centre in centres.items() if kind == "class"]
    grounds = [centre for (kind, _), centre in centres.items() if kind == "ground"]
    pairs = [1 + cos(a, b) for i, a in enumerate(classes) for j, b in enumerate(classes) if i != j]
    mixed = [1 + cos(a, b) for a in classes for b in grounds]
    within = [
        torch.stack([1 - cos(cell, centres[name]) for cell in cells]).mean()
        for name, cells in members.items()
    ]
    mean = [torch.stack(terms).mean() if terms else torch.zeros(()) for terms in (pairs, mixed, within)]
    return between * (mean[0] + mean[1]) + mean[2]


def random_case(seed: int, classes: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(seed)
    features = torch.randn(3, 6, 4, 5, requires_grad=True)
    predicted = torch.randint(0, classes, (3, 4, 5))
    predicted[1] = predicted[1].clamp_min(1 if classes > 1 else 0)  # a picture without background
    return features, predicted, torch.rand(3, 4, 5) > 0.3


@pytest.mark.parametrize(("seed", "classes", "between"), [(0, 4, 0.5), (1, 2, 0.3), (2, 1, 1.0), (3, 9, 0.0)])
def test_the_distance_against_loops(seed: int, classes: int, between: float) -> None:
    features, predicted, counted = random_case(seed, classes)
    found = class_distance(features, predicted, counted, between)
    wanted = by_loops(features, predicted, counted, between)
    torch.testing.assert_close(found, wanted)
    slopes = [torch.autograd.grad(value, features, retain_graph=True)[0] for value in (found, wanted)]
    torch.testing.assert_close(*slopes)  # through the centres too


def test_the_order_of_the_cells_is_nothing_and_backgrounds_are_apart() -> None:
    features, predicted, counted = random_case(5)
    turned = [tensor.flip(-1).transpose(-1, -2) for tensor in (features, predicted, counted)]
    first = class_distance(features, predicted, counted, 0.5)
    torch.testing.assert_close(class_distance(*turned, 0.5), first)
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(class_distance(features[order], predicted[order], counted[order], 0.5), first)
    one = torch.tensor([[[0, 0]], [[0, 0]]])
    apart = torch.tensor([[1.0, 0.0], [0.0, 1.0]])[:, :, None, None].expand(2, 2, 1, 2)
    assert float(class_distance(apart, one, everywhere(one), 0.5)) == pytest.approx(0, abs=1e-6)
    torch.testing.assert_close(
        class_distance(apart, one + 1, everywhere(one), 0.5), torch.tensor(1 - math.sqrt(0.5))
    )


def test_the_gradient_has_the_same_bytes_with_several_threads() -> None:
    """Cells that read one centre by its index would add to its gradient in any order."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    torch.manual_seed(0)
    features = torch.randn(8, 64, 32, 32, requires_grad=True)
    predicted = torch.randint(0, 4, (8, 32, 32))
    found = set()
    for _ in range(10):
        features.grad = None
        class_distance(features, predicted, everywhere(predicted), 0.5).backward()
        assert features.grad is not None
        found.add(features.grad.numpy().tobytes())
    torch.set_num_threads(before)
    assert len(found) == 1


def test_no_cell_costs_nothing() -> None:
    features, predicted, counted = random_case(0)
    found = class_distance(features, predicted, counted & False, 0.5)
    found.backward()
    assert found.item() == 0 and features.grad is not None
