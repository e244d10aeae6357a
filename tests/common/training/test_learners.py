"""A turn moves the network that learns and nothing else; a loss can call networks and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from stages.common.training import learners
from stages.common.training.batches import Order
from stages.common.training.loop import fit
from stages.common.training.strategy import Strategy, Turn, one
from tests.common.training.tiny import (
    ENCODER,
    OPTIMIZER,
    Eraser,
    Net,
    Noise,
    adversary,
    bytes_of,
    differ,
    erased,
    loss,
    pair,
    params,
)


def once(strategy, **changes):
    """One step of training."""
    fit("a", strategy, Noise(), params(batch=13, epochs=1, **changes), "key")


def test_a_turn_leaves_weights_gradients_and_statistics_of_the_others():
    """Although main's gradient passes through the helper, and the eraser's through main."""
    strategy, seen = pair(), {}
    before = bytes_of(strategy)

    def watched(turn):
        def of(networks, batch, done):
            seen[f"before {turn.learns}"] = bytes_of(strategy)
            gradients[turn.learns] = [p.grad for n in strategy.networks.values() for p in n.parameters()]
            found = turn.loss(networks, batch, done)
            seen[f"modes {turn.learns}"] = {n: m.training for n, m in strategy.networks.items()}
            return found

        return of

    gradients = {}
    turns = tuple(Turn(turn.learns, watched(turn), turn.optimizer) for turn in strategy.turns)
    once(Strategy(strategy.networks, turns))
    after = bytes_of(strategy)
    assert not differ(seen["before main"], before)
    first, second = differ(seen["before eraser"], before), differ(after, seen["before eraser"])
    assert {name.split(".")[0] for name in first} == {"main"} and "main.encoder.1.running_mean" in first
    assert {name.split(".")[0] for name in second} == {"eraser"} and "eraser.layers.1.running_mean" in second
    still = {name for name in before if name.startswith("helper")}
    still |= {
        "main.encoder.0.bias",
        "eraser.layers.0.bias",
    }  # batch norm takes them away: rounding moves them
    assert set(before) == first | second | still
    assert seen["modes main"] == {"main": True, "eraser": False, "helper": False}
    assert seen["modes eraser"] == {"main": False, "eraser": True, "helper": False}
    assert all(gradient is None for found in gradients.values() for gradient in found)
    assert all(p.grad is None for net in strategy.networks.values() for p in net.parameters())


def test_the_gradient_of_a_frozen_network_reaches_the_learner_and_no_other_weight():
    """Of the helper's answer alone, against the same by hand."""
    strategy = pair()

    def helped(networks, batch, done):
        x = batch[0]
        return {"loss": networks["helper"](torch.cat([networks["main"](x)] * 5, 1))["size"][0]}

    def by_hand(networks, batch, done):
        found.append(batch[0])
        return helped(networks, batch, done)

    found = []
    chosen = {**OPTIMIZER, "name": "sgd", "lr": 1.0, "momentum": 0.0, "weight_decay": 0.0, "head_multiple": 1,
              "bias_multiple": 1}  # fmt: skip
    frozen = {**ENCODER, "freeze": ["2"]}  # no dropout
    once(Strategy(strategy.networks, (Turn("main", by_hand),)), optimizer=chosen, encoder=frozen)
    net, helper = Net().train(), Eraser(2).eval()
    net.encoder[2].eval()
    x = found[0]
    helper(torch.cat([net(x)] * 5, 1))["size"][0].backward()
    assert net.head.weight.grad.abs().max() > 1e-4
    wanted = Net().head.weight - net.head.weight.grad
    torch.testing.assert_close(strategy.networks["main"].head.weight, wanted)
    assert all(p.grad is None for p in strategy.networks["helper"].parameters())


def test_turns_of_a_step_see_what_the_turn_before_made():
    """P-NOC and EADER: the second network learns from the first as it is now."""
    strategy = pair()
    once(strategy)
    net, eraser = strategy.networks["main"].eval(), Eraser().train()
    (order,) = Order(13, 13, 1, seed=0)
    x = torch.stack([Noise().sample(n, np.random.default_rng((0, 0, n)))[0] for _, n in order])
    optimizer = torch.optim.AdamW([
        {"params": [p for p in eraser.parameters() if p.ndim > 1], "lr": 0.1, "weight_decay": 0.01},
        {"params": [p for p in eraser.parameters() if p.ndim <= 1], "lr": 0.2, "weight_decay": 0.0},
    ])  # fmt: skip
    adversary({"main": net, "eraser": eraser}, (x,), 0.0)["loss"].backward()
    optimizer.step()
    found = strategy.networks["eraser"].state_dict()
    for name, tensor in eraser.state_dict().items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-5, atol=1e-6)


def test_a_network_that_is_not_due_holds_still_and_its_schedule_counts_its_own_updates(monkeypatch):
    strategy, done, seen = pair(due=lambda step: step in (1, 2, 5, 8)), [], []
    known = learners.set_rate
    monkeypatch.setattr(learners, "set_rate", lambda *args: (done.append(args[1:]), known(*args)))

    def spied(networks, batch, ramp):
        seen.append((ramp, bytes_of(strategy)["eraser.layers.0.weight"]))
        return adversary(networks, batch, ramp)

    turns = (strategy.turns[0], replace(strategy.turns[1], loss=spied))
    fit("a", Strategy(strategy.networks, turns), Noise(), params(), "key")  # nine steps
    assert [ramp for ramp, _ in seen] == [1 / 9, 2 / 9, 5 / 9, 8 / 9]  # a ramp counts the training's steps
    assert [share for chosen, share in done if chosen.name == "adamw"] == [0, 1 / 4, 2 / 4, 3 / 4]
    assert [share for chosen, share in done if chosen.name == "sgd"] == [n / 9 for n in range(9)]
    assert torch.equal(seen[0][1], Eraser().layers[0].weight)  # nothing moved it before
    assert not torch.equal(seen[1][1], seen[0][1])


def test_a_row_has_a_column_for_each_loss_and_nan_where_no_turn_was_due():
    history = fit("a", pair(due=lambda step: step >= 3), Noise(), params(), "key")
    assert [list(row) for row in history] == [["epoch", "lr", "loss", "fit", "eraser.loss"]] * 3
    assert [row["eraser.loss"] > 0 for row in history] == [False, True, True]
    assert history[0]["eraser.loss"] != history[0]["eraser.loss"]
    assert [row["lr"] for row in history] == pytest.approx([0.1 * (1 - n / 9) ** 0.9 for n in (2, 5, 8)])


def test_the_learner_keeps_its_frozen_blocks_and_each_may_have_others():
    strategy = pair()
    other = params(encoder={**ENCODER, "freeze": ["0"], "batch_norm": "frozen"}).encoder
    networks = {"main": Net(), "oc": Net()}
    turns = (Turn("main", loss), Turn("oc", lambda n, b, d: loss({"main": n["oc"]}, b, d), encoder=other))
    strategy = Strategy(networks, turns)
    before = bytes_of(strategy)
    once(strategy)
    changed = differ(bytes_of(strategy), before)
    assert {name for name in changed if name.startswith("oc")} == {"oc.head.weight", "oc.head.bias"}
    assert {"main.encoder.0.weight", "main.encoder.1.running_mean"} <= changed


def test_after_a_training_all_networks_are_in_eval_mode_and_can_learn_again():
    strategy = pair()
    once(strategy)
    assert not any(module.training for net in strategy.networks.values() for module in net.modules())
    for name in ("main", "eraser"):
        assert all(p.requires_grad for p in strategy.networks[name].parameters())
    assert not any(p.requires_grad for p in strategy.networks["helper"].parameters())


@pytest.mark.parametrize("name", ["main", "helper"])
@pytest.mark.parametrize("use", ["encoder", "parameters", "eval", "weight"])
def test_a_loss_can_only_call_a_network(name, use):
    strategy = pair()

    def other(networks, batch, done):
        getattr(networks[name], use)
        return erased(networks, batch, done)

    which = rf"networks\['{name}'\]"
    message = rf"{which}\.{use}: a loss can only call {which}\(x\).*let `forward` return what the loss needs"
    with pytest.raises(AttributeError, match=message):
        once(Strategy(strategy.networks, (Turn("main", other),)))


class Shapes(nn.Module):
    """Outputs of each kind."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(5, 3)

    def forward(self, x, kind="tensor"):
        y = self.layer(x)
        return {"tensor": y, "tuple": (y, y.sum()), "dict": {"y": y, "more": (y.mean(),)}}[kind]


@pytest.mark.parametrize("kind", ["tensor", "tuple", "dict"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_network_computes_in_the_same_precision_whether_it_learns_or_not(kind, precision):
    """And gives float32, whatever its outputs are."""
    seen, part = {}, {"tensor": ..., "tuple": 0, "dict": "y"}[kind]

    def of(learner):
        def loss(networks, batch, done):
            x = batch[0] / 10 + 0.1234567
            for name in networks:
                out = networks[name](x, kind=kind)
                seen[learner, name] = out[part].detach().clone()
            return {"loss": networks[learner](x).square().mean()}

        return loss

    strategy = Strategy(
        {"main": Shapes(), "other": Shapes()}, (Turn("main", of("main")), Turn("other", of("other")))
    )
    still = {**OPTIMIZER, "lr": 1e-30, "weight_decay": 0, "momentum": 0}
    once(strategy, precision=precision, optimizer=still)
    first, *others = seen.values()
    assert len(others) == 3 and first.dtype == torch.float32
    assert all(torch.equal(first, other) and other.dtype == torch.float32 for other in others)
    assert torch.equal(first, first.bfloat16().float()) == (precision == "bf16")


def test_a_network_without_an_encoder_can_be_main():
    class Fit(Shapes):
        def forward(self, x):
            return self.layer(x)[:, :1]

    net = Fit()
    before = net.layer.weight.clone()
    once(one(net, loss))
    assert not torch.equal(net.layer.weight, before)


def test_a_network_that_may_not_move_has_no_turn(tmp_path, monkeypatch):
    """As one that was loaded to be used, whose strategy forgot to let it learn."""
    monkeypatch.chdir(tmp_path)
    strategy = pair()
    strategy.networks["eraser"].requires_grad_(False)
    with pytest.raises(ValueError, match="the network 'eraser' has a turn, but none of its weights may move"):
        once(strategy)
