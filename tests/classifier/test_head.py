"""Kernel usage regularization: what the head is while it trains, and what is left of it when it is saved."""

import copy
import math

import pytest
import torch
from torch import nn

from stages.classifier.head import KernelUsage, fold, mean_cosine, regularise
from stages.classifier.network import ClassifierNet
from stages.classifier.params import Classifier
from stages.classifier.params import KernelUsage as Section


def params(head: str = "kernel_usage", alpha: float | None = None) -> Classifier:
    """Of the head's keys alone."""
    return Classifier.model_construct(head=head, kernel_usage=Section(alpha=alpha))


class Encoder(nn.Module):
    out_channels = (3, 5)

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 5, 3, padding=1)

    def forward(self, x):
        return [x, self.layer(x).relu()]


def network(classes: int = 4) -> ClassifierNet:
    torch.manual_seed(0)
    model = ClassifierNet(Encoder(), classes)
    nn.init.normal_(model.head.weight)  # it starts at 0, where W and W^r are the same
    return model.double()


def test_the_weights_by_hand():
    """One kernel of two classes, 0 and ln 3: shares 1/4 and 3/4, so with alpha 2 the second is 1.5 ln 3."""
    weight = torch.tensor([0.0, math.log(3.0)]).view(2, 1, 1, 1)
    found = KernelUsage(2.0)(weight).flatten().tolist()
    assert found == pytest.approx([0.0, 1.5 * math.log(3.0)])


def test_the_softmax_is_over_the_classes_of_each_kernel():
    weight = torch.randn(4, 5, 1, 1, generator=torch.Generator().manual_seed(0)).double()
    found = KernelUsage(4.0)(weight)
    for kernel in range(5):
        total = sum(math.exp(weight[c, kernel]) for c in range(4))
        for c in range(4):
            wanted = weight[c, kernel] * 4 * math.exp(weight[c, kernel]) / total
            assert float(found[c, kernel]) == pytest.approx(float(wanted))


def test_no_weight_is_far_below_zero_while_another_class_of_the_kernel_is_above():
    """w e^w / (e^w + 1) is least at -0.2785."""
    lowest = torch.linspace(-20, 0, 20001).double()
    weight = torch.stack([lowest, torch.zeros_like(lowest)]).view(2, -1, 1, 1)
    assert float(KernelUsage(3.0)(weight).min()) == pytest.approx(-0.2785 * 3, abs=1e-3)


def test_a_head_of_zeros_starts_as_the_linear_one():
    """With alpha = C the scores and the gradient of the weights are those of the linear head."""
    x, gradients = torch.randn(2, 3, 6, 6).double(), []
    for head in ("linear", "kernel_usage"):
        model = network()
        nn.init.zeros_(model.head.weight)
        regularise(model, params(head))
        scores = model(x)
        assert (scores == 0).all()
        (scores * torch.arange(8).view(2, 4)).sum().backward()
        gradients.append(next(p for name, p in model.named_parameters() if "head" in name).grad)
    torch.testing.assert_close(gradients[0], gradients[1])
    assert gradients[0].abs().min() > 0


@pytest.mark.parametrize(("alpha", "used"), [(None, 4.0), (1.5, 1.5)])
def test_folded_scores_and_maps_are_the_unfolded_ones(alpha, used):
    plain, x = network(), torch.randn(2, 3, 6, 6).double()
    model = copy.deepcopy(plain)
    regularise(model, params(alpha=alpha))
    scores, maps = model(x), model.head(model.features(x))
    folded = copy.deepcopy(model)
    fold(folded)
    assert type(folded.head) is nn.Conv2d and folded.state_dict().keys() == plain.state_dict().keys()
    w = plain.head.weight
    torch.testing.assert_close(folded.head.weight, w * used * w.exp() / w.exp().sum(0))
    torch.testing.assert_close(folded(x), scores)
    torch.testing.assert_close(folded.head(folded.features(x)), maps)
    assert (scores - plain(x)).abs().min() > 1e-3


def test_folding_a_linear_head_leaves_it_as_it_is():
    model = network()
    before = copy.deepcopy(model.state_dict())
    regularise(model, params("linear"))
    fold(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_mean_cosine_by_hand():
    """Angles of 90, 45 and 45 degrees between three vectors of any length."""
    weight = torch.tensor([[2.0, 0.0], [0.0, 0.5], [3.0, 3.0]]).view(3, 2, 1, 1)
    assert mean_cosine(weight) == pytest.approx(2 * math.cos(math.pi / 4) / 3)
    assert math.isnan(mean_cosine(weight[:1]))
