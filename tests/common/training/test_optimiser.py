"""Schedules and groups, by hand."""

import pytest
import torch

from stages.common.training.optimiser import make_optimizer, set_rate
from tests.common.training.tiny import OPTIMIZER, Eraser, Net, params


def test_poly_schedule_and_multiples_by_hand():
    net = Net()
    optimizer = make_optimizer(net, net.encoder, params().optimizer)
    set_rate(optimizer, params().optimizer, 0.5)
    rate = 0.1 * 0.5**0.9
    found = {
        (tuple(sorted(p.ndim for p in g["params"])), round(g["lr"] / rate, 6), g["weight_decay"])
        for g in optimizer.param_groups
    }
    assert found == {((2,), 1, 0.01), ((1, 1, 1), 2, 0.0), ((2,), 10, 0.01), ((1,), 20, 0.0)}
    assert {g["momentum"] for g in optimizer.param_groups} == {0.9}


def test_a_network_without_an_encoder_is_all_head():
    optimizer = make_optimizer(Eraser(), None, params().optimizer)
    found = {(tuple(sorted(p.ndim for p in g["params"])), g["multiple"]) for g in optimizer.param_groups}
    assert found == {((2, 2), 10), ((1, 1, 1, 1), 20)}


def test_warmup_is_linear():
    net = Net()
    chosen = params(optimizer={**OPTIMIZER, "warmup": 0.5, "poly_power": 0.0}).optimizer
    optimizer = make_optimizer(net, net.encoder, chosen)
    set_rate(optimizer, chosen, 0.25)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05, rel=0.01)


def test_adamw_takes_the_same_groups():
    net = Net()
    optimizer = make_optimizer(net, net.encoder, params(optimizer={**OPTIMIZER, "name": "adamw"}).optimizer)
    assert isinstance(optimizer, torch.optim.AdamW)
    assert sorted(g["multiple"] for g in optimizer.param_groups) == [1, 2, 10, 20]
