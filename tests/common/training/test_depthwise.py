"""The gradients of dilated depthwise convolutions are torch's, in any precision."""

import copy

import pytest
import torch
from torch import nn

from stages.common.training import depthwise
from stages.common.training.depthwise import Depthwise, quicken
from stages.common.training.loop import fit
from stages.common.training.strategy import Strategy, Turn
from tests.common.training.tiny import Noise, params

SHAPE = (2, 4, 7, 9)


def conv(kernel=3, dilation=2, channels=4, **more) -> nn.Conv2d:
    sides = [kernel] * 2 if isinstance(kernel, int) else kernel
    steps = [dilation] * 2 if isinstance(dilation, int) else dilation
    padding = tuple(d * (k // 2) for d, k in zip(steps, sides, strict=True))
    options = {"padding": padding, "groups": channels, "bias": False} | more
    return nn.Conv2d(channels, channels, sides, dilation=steps, **options)


def gradients(network, x, kind=torch.bfloat16, enabled=True):
    """Result, gradient of x and of the weights, for a gradient of the result that is its square."""
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", kind, enabled=enabled):
        made = network(x)
    (made.float() ** 2).sum().backward()
    return made.detach(), x.grad, network.weight.grad


@pytest.mark.parametrize(
    ("kernel", "dilation"),
    [(3, 2), (3, (2, 1)), (5, 2), ((3, 1), 3), (3, 6), (3, 8), (3, 36), (3, (1, 36))],
)
def test_they_are_those_of_torch(kernel, dilation):
    """In float64, where only the formula can differ; the larger kernels reach over the edge."""
    torch.manual_seed(0)
    native = conv(kernel, dilation).double()
    x, grad = torch.randn(SHAPE).double().requires_grad_(), torch.randn(SHAPE).double()
    native(x).backward(grad)
    weight = native.weight.detach().requires_grad_()
    mine = x.detach().clone().requires_grad_()
    depthwise._Convolution.apply(mine, weight, native.dilation).backward(grad)
    assert torch.allclose(mine.grad, x.grad, rtol=1e-12) and x.grad.abs().sum() > 0
    assert torch.allclose(weight.grad, native.weight.grad, rtol=1e-12, atol=1e-12)


def test_in_bf16_they_are_as_near_to_the_truth_as_those_of_torch():
    torch.manual_seed(0)
    native, x = conv(), torch.randn(16, 4, 20, 20)
    quick = copy.deepcopy(native)
    quicken(quick)
    truth = gradients(copy.deepcopy(native), x, enabled=False)
    slow, fast = gradients(native, x), gradients(quick, x)
    assert torch.equal(slow[0], fast[0]) and fast[0].dtype == torch.bfloat16
    assert fast[1].dtype == fast[2].dtype == torch.float32
    for index in (1, 2):
        off = [((one[index] - truth[index]).norm() / truth[index].norm()).item() for one in (slow, fast)]
        assert off[1] < 1.5 * off[0] < 0.02, off
    again = copy.deepcopy(quick)
    again.zero_grad()
    assert all(torch.equal(one, two) for one, two in zip(fast, gradients(again, x), strict=True))


def test_without_bf16_and_without_gradients_torch_is_left_alone(monkeypatch):
    torch.manual_seed(0)
    native, x = conv(), torch.randn(SHAPE)
    quick = copy.deepcopy(native)
    quicken(quick)
    monkeypatch.setattr(depthwise, "_Convolution", None)
    for one, two in zip(gradients(native, x, enabled=False), gradients(quick, x, enabled=False), strict=True):
        assert torch.equal(one, two)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        assert torch.equal(native(x), quick(x))


@pytest.mark.parametrize(
    ("module", "quick"),
    [
        (conv(), True),
        (conv(dilation=(1, 2)), True),
        (conv(dilation=1), False),  # torch is fast there
        (conv(groups=1), False),
        (conv(groups=2), False),
        (conv(channels=1), False),
        (conv(stride=2), False),
        (conv(padding=0), False),
        (conv(kernel=4), False),
        (conv(bias=True), False),
        (conv(padding_mode="reflect"), False),
        (type("Own", (nn.Conv2d,), {})(4, 4, 3, padding=2, dilation=2, groups=4, bias=False), False),
    ],
)
def test_which_convolutions_it_takes(module, quick):
    network = nn.Sequential(nn.ReLU(), nn.Sequential(module))
    names = list(network.state_dict())
    quicken(network)
    assert (type(network[1][0]) is Depthwise) == quick and list(network.state_dict()) == names


def test_the_frozen_part_of_a_network_passes_its_gradient_on():
    torch.manual_seed(0)
    native, x = conv(), torch.randn(SHAPE)
    native.weight.requires_grad_(False)
    quick = copy.deepcopy(native)
    quicken(quick)
    (_, one, none), (_, two, nothing) = gradients(native, x), gradients(quick, x)
    assert torch.allclose(one, two, rtol=0.02, atol=0.02) and none is nothing is None


class Seen(nn.Module):
    """The least network with such a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = conv()

    def forward(self, x):
        return self.filters(x.reshape(-1, 1, 1, 5).expand(-1, 4, 5, 5)).mean((1, 2))  # [B, 5]


def test_all_networks_of_a_training_have_them(monkeypatch):
    """Through those that hold still goes the gradient of the one that learns."""
    counted = []
    monkeypatch.setattr(
        depthwise, "weight_gradient", lambda x, *rest: counted.append(x.dtype) or torch.zeros(4, 1, 3, 3)
    )
    networks = {"main": Seen(), "still": Seen()}

    def of(networks, batch, _):
        return {"loss": networks["still"](networks["main"](batch[0])).square().mean()}

    fit("a", Strategy(networks, (Turn("main", of),)), Noise(), params(epochs=1, precision="bf16"), "key")
    assert [type(network.filters) for network in networks.values()] == [Depthwise, Depthwise]
    assert counted == [torch.bfloat16] * 3  # steps
