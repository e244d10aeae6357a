"""What a strategy may be, and how it counts and names."""

import pytest
import torch
from torch import nn

from stages.common.training.params import Optimizer
from stages.common.training.strategy import Strategy, Turn, one
from tests.common.training.tiny import OPTIMIZER, loss


def networks(*names):
    return {name: nn.Linear(1, 1) for name in names}


def test_one_network_with_one_loss():
    net = nn.Linear(1, 1)
    strategy = one(net, loss)
    assert strategy.networks == {"main": net} and strategy.learners == ("main",)
    assert [(turn.learns, turn.loss) for turn in strategy.turns] == [("main", loss)]


def test_what_cannot_be_trained_is_refused():
    with pytest.raises(ValueError, match="a turn trains oc: there is no such network"):
        Strategy(networks("main"), (Turn("main", loss), Turn("oc", loss)))
    with pytest.raises(ValueError, match="no turn trains the network 'main'"):
        Strategy(networks("main", "oc"), (Turn("oc", loss),))
    other = Optimizer.model_validate({**OPTIMIZER, "lr": 0.5})
    with pytest.raises(ValueError, match="turns of the network 'main' must name one optimizer"):
        Strategy(networks("main"), (Turn("main", loss), Turn("main", loss, other)))


def test_a_helper_is_no_learner():
    assert Strategy(networks("helper", "main"), (Turn("main", loss),)).learners == ("main",)


def test_updates_are_counted_by_what_is_due():
    blocks = Strategy(
        networks("main", "f"),
        (Turn("main", loss, due=lambda n: n // 3 % 2 == 0), Turn("f", loss, due=lambda n: n // 3 % 2 == 1)),
    )
    assert [blocks.updates("main", n) for n in range(9)] == [0, 1, 2, 3, 3, 3, 3, 4, 5]
    assert [blocks.updates("f", n) for n in range(9)] == [0, 0, 0, 0, 1, 2, 3, 3, 3]
    assert Strategy(networks("main"), (Turn("main", loss),) * 2).updates("main", 5) == 10


def test_no_two_turns_share_a_column():
    turns = tuple(Turn(name, loss) for name in ("oc", "main", "main", "oc"))
    assert Strategy(networks("main", "oc"), turns).prefixes() == ["oc.", "", "main2.", "oc2."]


def test_the_networks_of_a_strategy_are_not_copied():
    net = nn.Linear(1, 1)
    with torch.no_grad():
        net.weight.fill_(7)
    assert one(net, loss).networks["main"].weight.item() == 7
