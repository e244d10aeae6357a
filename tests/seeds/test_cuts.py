"""Layers beside a skip are refused; the bias of contributions is that of the parameters, or it is said."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from stages.classifier.network import ClassifierNet
from stages.common.params import check
from stages.seeds import __main__ as step
from stages.seeds import bias, cuts, vgatt
from stages.seeds.params import Seeds
from tests.seeds.test_multi_scale import VALUES
from tests.seeds.tiny import classifier, pictures

CLASSES = torch.tensor([[0, 3], [2, 1]])
CUTS = [
    ("small", "encoder.levels.0.1"), ("small", "encoder.levels.3"), ("resnet18", "encoder.bn1"),
    ("resnet18", "encoder.relu"), ("resnet18", "encoder.layer2.0"), ("resnet18", "encoder.layer3"),
    ("mobilenet_v2", "encoder.features.0"), ("mobilenet_v2", "encoder.features.4"), ("small", "input"),
    ("small", "last"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "layer"), CUTS)
def test_the_bias_by_contributions_is_the_bias_by_parameters(name, layer):
    """CHEN Eq. 4.12 two ways: the score less the contributions, and the sum of what each constant adds."""
    model, x = classifier(name, 8 if name == "small" else 32), 3 * pictures()
    cuts.require_cut(model, layer, x)
    found = vgatt.attribution(model, x, CLASSES, layer)
    own = bias.bias_of_parameters(model, x, CLASSES, layer)
    scores = model(x).gather(1, CLASSES)
    assert layer == "last" or own.abs().min() > 1e-3 * scores.abs().max()
    if layer != "input":  # 33 pixels are no whole cells
        torch.testing.assert_close(found.mean((2, 3)) + own, scores, rtol=1e-8, atol=1e-10)
        torch.testing.assert_close(vgatt.bias(model, x, CLASSES, layer), own, rtol=1e-8, atol=1e-10)
    assert layer == "input" or vgatt.remark(model, x, CLASSES, layer) == ""


def test_saturated_units_count():
    """Without the sixes of MobileNet's ReLU6 the two would differ: at the first layer many saturate."""
    model, x = classifier("mobilenet_v2", 32), 30 * pictures()
    caught = []
    model.encoder.features[0][2].register_forward_hook(lambda m, i, out: caught.append((out == 6).sum()))
    own = bias.bias_of_parameters(model, x, CLASSES, "encoder.features.0.0")
    assert caught[0] > 100
    torch.testing.assert_close(
        vgatt.bias(model, x, CLASSES, "encoder.features.0.0"), own, rtol=1e-7, atol=1e-9
    )


def smooth(model: nn.Module) -> None:
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, nn.SiLU())


@pytest.mark.parametrize("layer", ["encoder.levels.0", "encoder.levels.3.1"])
def test_a_network_that_is_not_piece_wise_affine_is_said_in_one_line(layer):
    model, x = classifier(), pictures()
    smooth(model)
    assert (
        vgatt.bias(model, x, CLASSES, layer) - bias.bias_of_parameters(model, x, CLASSES, layer)
    ).abs().max() > 0.01
    line = vgatt.remark(model, x, CLASSES, layer)
    assert "not piece-wise affine above encoder.levels." in line and "\n" not in line


@pytest.mark.parametrize(
    ("layer", "block"),
    [("encoder.layer4.0.conv1", "encoder.layer4.0"), ("encoder.layer1.1.bn2", "encoder.layer1.1"),
     ("encoder.layer2.0.downsample.1", "encoder.layer2.0")],
)  # fmt: skip
def test_a_layer_beside_a_skip_is_refused_and_its_block_named(layer, block):
    model, x = classifier("resnet18", 32), pictures()
    with pytest.raises(
        ValueError, match=f"seeds.layer {layer}: a skip passes it by.*take the whole block {block}$"
    ):
        cuts.require_cut(model, layer, x)
    cuts.require_cut(model, block, x)


def test_the_step_asks_once_before_any_picture(monkeypatch, capsys):
    model = classifier().float()
    monkeypatch.setattr(step, "_classifier", lambda *_: (model, {}))

    def asked(layer):
        return check(Seeds, {**VALUES, "method": "vgatt", "layer": layer}, "test")

    step.check_layer(asked("encoder.levels.1"), "cpu")
    step.check_layer(asked("input"), "cpu")
    assert capsys.readouterr().err == ""
    smooth(model)
    step.check_layer(asked("encoder.levels.1"), "cpu")
    err = capsys.readouterr().err
    assert err.startswith("warning: seeds: the network is not piece-wise affine") and err.count("\n") == 1
    with pytest.raises(ValueError, match="no feature map"):
        step.check_layer(asked("encoder"), "cpu")
    skip = classifier("resnet18", 32).float()
    monkeypatch.setattr(step, "_classifier", lambda *_: (skip, {}))
    monkeypatch.setattr(step, "load", lambda *_: asked("encoder.layer3.0.bn1"))
    monkeypatch.setattr(step, "load_pictures", lambda: SimpleNamespace(split=lambda name: []))
    monkeypatch.setattr(step.fingerprint, "file_hash", lambda path: "")
    monkeypatch.setattr(step.store, "read_config", lambda *_: {})
    monkeypatch.setenv("WSSS_DEVICE", "cpu")
    with pytest.raises(ValueError, match="a skip passes it by"):
        step.main()


class Beside(nn.Module):
    """Features layer(x) + `skip` x, of which a cut sees 1 / (1 + skip)."""

    output_stride, out_channels = 1, (3, 3)

    def __init__(self, skip: float) -> None:
        super().__init__()
        self.layer, self.skip, self.weight = nn.Identity(), skip, nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return [self.layer(x) + self.skip * x]


@pytest.mark.parametrize(("skip", "share"), [(3.0, 0.75), (1.0, 0.5), (0.0, 0.0)])
def test_the_share_that_passes_by(skip, share):
    for size in (1, 1e-3):  # a share, however little the pictures differ
        found = cuts.passing_by(ClassifierNet(Beside(skip), 4), "encoder.layer", size * pictures().float())
        assert isinstance(found, float) and found == pytest.approx(share, abs=1e-6)


def test_nothing_passes_by_the_ends_or_between_equal_pictures():
    model, x = ClassifierNet(Beside(3.0), 4), pictures().float()
    assert cuts.passing_by(model, "input", x) == cuts.passing_by(model, "last", x) == 0.0
    assert cuts.passing_by(model, "encoder.layer", x[:1].repeat(2, 1, 1, 1)) == 0.0
