"""RRM's network: what it gives, and that it is left as it was."""

import torch
from torch import nn
from torch.nn import functional as F

from stages.classifier.loss import soft_margin
from stages.one_step.network import Rrm, build_rrm, rebuild_rrm, saved_config, still
from tests.one_step.tiny import params


def network(**changes) -> Rrm:
    torch.manual_seed(0)
    own = params(**changes)
    made = build_rrm(own.encoder, 2, own.heads)
    nn.init.normal_(made.classes.weight)
    return made


def test_the_forms_of_one_pass() -> None:
    model, x = network().eval(), torch.randn(2, 3, 40, 48)
    masks, classes, maps, found = (model(x, asked) for asked in ("masks", "classes", "maps", "all"))
    assert masks.shape == (2, 3, 40, 48) and maps.shape == (2, 2, 5, 6)
    assert found.masks.shape == (2, 3, 5, 6) and found.features.shape == (2, 48 + 2 * 24, 5, 6)
    torch.testing.assert_close(maps.mean((2, 3)), classes)  # without dropout: CAM explains all of a score
    torch.testing.assert_close(found.classes, classes)
    torch.testing.assert_close(F.interpolate(found.masks, (40, 48), mode="bilinear"), masks)
    torch.testing.assert_close(model(x), masks)


def test_the_scores_are_the_mean_of_both_branches() -> None:
    model, x = network().eval(), torch.randn(1, 3, 32, 32)
    whole = model(x, "all").masks
    for layer in (model.local_scores, model.far_scores):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
        layer.bias.data += 1.0
    assert torch.equal(model(x, "all").masks, torch.ones(1, 3, 4, 4))
    again = network().eval()
    nn.init.zeros_(again.far_scores.weight), nn.init.zeros_(again.far_scores.bias)
    local = F.conv2d(again.features(x), again.local.weight, again.local.bias, padding=2, dilation=2).relu()
    wanted = F.conv2d(local, again.local_scores.weight, again.local_scores.bias, padding=2, dilation=2) / 2
    torch.testing.assert_close(again(x, "all").masks, wanted)
    assert not torch.equal(whole, wanted)


def test_the_attention_is_as_params_choose_it() -> None:
    x = torch.randn(1, 3, 32, 32)
    plain, other = (network(heads__attention=kind).eval()(x) for kind in ("plain", "reweighted"))
    assert not torch.allclose(plain, other)


def test_a_still_network_keeps_its_modes_its_buffers_and_notes_no_gradient() -> None:
    model = network().train()
    model.encoder.levels[0].eval()  # as a frozen block
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = {name: module.training for name, module in model.named_modules()}
    random = torch.get_rng_state()
    with still(model):
        assert not any(module.training for module in model.modules())
        assert not model(torch.randn(2, 3, 32, 32, generator=torch.Generator()), "all").masks.requires_grad
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(weight.grad is None and weight.requires_grad for weight in model.parameters())
    assert torch.equal(torch.get_rng_state(), random) and torch.is_grad_enabled()
    model(torch.randn(2, 3, 32, 32), "classes")
    assert any(not torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_dropout_takes_whole_channels_of_the_class_scores() -> None:
    model, x = network().train(), torch.randn(4, 3, 32, 32)
    nn.init.ones_(model.classes.weight)
    with torch.no_grad():
        features = model.features(x)
        torch.manual_seed(3)
        found = model._classify(features)
        torch.manual_seed(3)
        kept = F.dropout2d(features, 0.5)
    assert set((kept.flatten(2).sum(2) == 0).float().mean(1).tolist()) != {0.0}
    torch.testing.assert_close(found, kept.mean((2, 3)).sum(1, keepdim=True).expand(4, 2))


def test_a_new_head_knows_no_class_and_the_saved_network_is_rebuilt() -> None:
    torch.manual_seed(1)
    own = params(heads__attention="reweighted")
    made = build_rrm(own.encoder, 2, own.heads).eval()
    scores = made(torch.randn(2, 3, 32, 32), "classes")
    assert torch.equal(scores, torch.zeros(2, 2))
    assert soft_margin(scores, torch.ones(2, 2)).item() == torch.tensor(2.0).log().item()
    state = torch.get_rng_state()
    again = rebuild_rrm(saved_config(own.encoder, own.heads, ("background", "cat", "dog"))).eval()
    assert torch.equal(torch.get_rng_state(), state)
    again.load_state_dict(made.state_dict())
    x = torch.randn(1, 3, 32, 32)
    assert torch.equal(again(x), made(x)) and again.reweighted
