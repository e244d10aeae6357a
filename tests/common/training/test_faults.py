"""What is not finite, and batch norm with one picture: one clear error."""

from dataclasses import replace

import pytest
import torch

from stages.common.training.loop import fit
from stages.common.training.strategy import Strategy
from tests.common.training.tiny import LAST, OPTIMIZER, Net, Noise, adversary, loss, pair, params, train


def test_weights_that_only_the_last_step_made_not_finite_are_not_handed_on(tmp_path):
    """No loss follows that would show it."""

    net = Net()

    def steep(networks, batch, done):
        return {"loss": 1e18 * net.head.weight[0, 0]}  # finite, and so is its gradient

    chosen = params(epochs=1, batch=13, optimizer={**OPTIMIZER, "lr": 1e30})
    with pytest.raises(ValueError, match=r"head\.weight is not finite after step 1"):
        train(net, Noise(), chosen, "key", of=steep)
    assert not (tmp_path / LAST).exists()


def test_one_picture_under_batch_norm_is_told_in_our_words():
    class One(Noise):
        def __len__(self):
            return 1

    with pytest.raises(ValueError, match=r"a: batch norm cannot train on 1 picture.*raise a.batch \(now 4\)"):
        train(Net(), One(), params(), "key")


def test_what_is_not_finite_names_step_and_cure_and_keeps_the_checkpoint(tmp_path):
    calls = []

    def explode(networks, batch, done):
        calls.append(1)
        value = loss(networks, batch, done)["loss"]
        return {"loss": value * (float("nan") if len(calls) == 5 else 1)}

    message = r"not finite in epoch 2, step 4; lower a.optimizer.lr \(now 0.1\)"
    with pytest.raises(ValueError, match=message) as error:
        train(Net(), Noise(), params(), "key", of=explode)
    assert "the last good state, of step 3, is in .scratch/training/a/key/last.pt" in str(error.value)
    state = torch.load(tmp_path / LAST, weights_only=True)
    assert state["progress"][0] == 3
    assert all(torch.isfinite(t).all() for t in state["networks"]["main"].values())


def test_no_good_state_is_named_where_none_was_saved():
    def explode(networks, batch, done):
        return {"loss": loss(networks, batch, done)["loss"] * float("nan")}

    with pytest.raises(ValueError, match="not finite") as error:
        train(Net(), Noise(), params(), "key", of=explode)
    assert "last good state" not in str(error.value)


def test_another_network_and_its_own_rate_are_named():
    def explode(networks, batch, done):
        return {"loss": adversary(networks, batch, done)["loss"] * float("inf")}

    strategy = pair()
    broken = Strategy(strategy.networks, (strategy.turns[0], replace(strategy.turns[1], loss=explode)))
    message = (
        "loss or a gradient of the network eraser is not finite in epoch 1, step 0; "
        r"lower the learning rate of the network eraser \(now 0.01\)"
    )
    with pytest.raises(ValueError, match=message):
        fit("a", broken, Noise(), params(), "key")
