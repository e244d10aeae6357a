"""A network that is not piece-wise affine is refused, and the module is named."""

import pytest
from torch import nn
from torch.nn import functional as F

from stages.common.params import check
from stages.seeds import __main__ as step
from stages.seeds import affine, full_grad
from stages.seeds.params import Seeds
from tests.seeds.test_multi_scale import VALUES
from tests.seeds.tiny import chain, classifier, pictures


class Gated(nn.Module):
    """Squeeze and excitation: each channel times a gate of its mean; `gate` None: a function's sigmoid."""

    def __init__(self, gate: nn.Module | None) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(4, 4, 1)
        if gate is not None:
            self.gate = gate

    def forward(self, x):
        squeezed = self.squeeze(x.mean((2, 3), keepdim=True))
        return x * (self.gate(squeezed) if hasattr(self, "gate") else squeezed.sigmoid())


class Silent(nn.Module):
    """Not affine between its modules, and its result is a list, as an encoder's is."""

    out_channels, output_stride = (3, 4), 1

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return [F.gelu(self.conv(x))]


def gated(module: nn.Module):
    return chain(nn.Conv2d(3, 4, 3), nn.ReLU(), module, nn.Conv2d(4, 5, 3), channels=5)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (nn.SiLU(), r"encoder\.2 \(SiLU\)"),
        (nn.GELU(), r"encoder\.2 \(GELU\)"),
        (nn.Hardswish(), r"encoder\.2 \(Hardswish\)"),
        (nn.GroupNorm(2, 4), r"encoder\.2 \(GroupNorm\)"),
        (Gated(nn.Sigmoid()), r"encoder\.2\.gate \(Sigmoid\)"),
        (Gated(None), r"encoder\.2 \(Gated\)"),
        (Gated(nn.Identity()), r"encoder\.2 \(Gated\)"),  # affine parts, multiplied
    ],
)
def test_the_smallest_module_is_named(module, name):
    model = gated(module)
    with pytest.raises(ValueError, match=f"^seeds.method full_grad: {name} is not piece-wise affine"):
        affine.require_affine(model, pictures())
    assert not any(part._forward_pre_hooks for part in model.modules())


@pytest.mark.parametrize("module", [nn.ReLU6(), nn.LeakyReLU(), nn.Hardtanh(), nn.AvgPool2d(2), nn.Dropout()])
def test_what_is_piece_wise_affine_passes(module):
    affine.require_affine(gated(module), 5 * pictures())


@pytest.mark.parametrize("name", ["small", "resnet18", "mobilenet_v2", "vgg11"])
def test_networks_of_the_library_that_pass(name):
    affine.require_affine(classifier(name, 8 if name == "small" else 32).float(), pictures().float())


def test_the_split_attention_of_resnest_is_named():
    model = classifier("tu-resnest14d", 32)
    with pytest.raises(
        ValueError,
        match=r"encoder\.model\.layer1\.0\.conv2\.rsoftmax \(RadixSoftmax\) is not piece-wise affine",
    ):
        affine.require_affine(model, pictures(65))


def test_the_first_of_several_is_named_and_the_encoder_where_no_module_is():
    first = chain(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Conv2d(4, 5, 3), nn.GELU(), channels=5)
    with pytest.raises(ValueError, match=r"encoder\.1 \(SiLU\)"):
        affine.require_affine(first, pictures())
    from stages.classifier.network import ClassifierNet

    with pytest.raises(ValueError, match=r"full_grad: encoder \(Silent\)"):
        affine.require_affine(ClassifierNet(Silent(), 2), pictures().float())


def test_a_head_of_zeros_hides_nothing():
    model = gated(nn.SiLU())
    model.head.weight.zero_()
    with pytest.raises(ValueError, match="SiLU"):
        affine.require_affine(model, pictures())


def test_the_step_refuses_before_any_picture(monkeypatch, capsys):
    values = {**VALUES, "method": "full_grad", "layer": "input"}
    asked = check(Seeds, values, "test")
    monkeypatch.setattr(step, "_classifier", lambda *_: (classifier().float(), {}))
    step.check_layer(asked, "cpu")
    assert capsys.readouterr().err == "" and full_grad.remark(classifier(), pictures(), None, "input") == ""
    model = gated(nn.SiLU()).float()
    monkeypatch.setattr(step, "_classifier", lambda *_: (model, {}))
    with pytest.raises(ValueError, match="SiLU") as error:
        step.check_layer(asked, "cpu")
    assert "\n" not in str(error.value)
