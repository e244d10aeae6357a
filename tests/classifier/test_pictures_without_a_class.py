"""A picture without a class is all zeros to the classifier, and has no say in what is of present classes."""

import pytest
import torch

from tests.classifier import tiny

OF_PRESENT = {"reconstruction", "suppression", "still_seen", "area"}  # terms of present classes


def first_losses(method, rows):
    """The losses of each turn on rows of the tiny batch, of which the last has no class."""
    chosen = tiny.params(method, {"block": 1} if method == "eader" else None)
    strategy = tiny.new(chosen)
    tiny.sighted(strategy.networks["main"])
    for network in strategy.networks.values():
        network.eval()  # a picture's scores are its own
    batch = tuple(x[rows] for x in tiny.batch(method in tiny.CHOOSING))
    return strategy, batch, [turn.loss(strategy.networks, batch, 0.5) for turn in strategy.turns]


@pytest.mark.parametrize("method", tiny.METHODS)
def test_it_is_zeros_in_the_loss_of_the_scores(method):
    strategy, batch, (losses, *_) = first_losses(method, [0, 1, 2])
    wanted = tiny.by_loops(strategy.networks["main"](batch[0]), batch[1])
    found = losses["loss"] if method == "plain" else losses["whole"]
    assert found.item() == pytest.approx(wanted, rel=1e-5)
    without = first_losses(method, [0, 1])[2][0]
    assert without["loss" if method == "plain" else "whole"].item() != pytest.approx(wanted, rel=1e-2)


@pytest.mark.parametrize("method", [name for name in tiny.METHODS if name != "plain"])
def test_it_has_no_say_in_terms_of_present_classes(method):
    *_, (losses, *_) = first_losses(method, [0, 1, 2])
    *_, (without, *_) = first_losses(method, [0, 1])
    shared = losses.keys() & OF_PRESENT
    assert shared
    for name in shared:
        torch.testing.assert_close(losses[name], without[name])
        assert losses[name] != 0


@pytest.mark.parametrize("method", tiny.METHODS)
@pytest.mark.parametrize("rows", [[2], [2, 2], [0, 2]])
def test_a_batch_with_nothing_to_find_gives_numbers_and_slopes(method, rows):
    strategy, batch, found = first_losses(method, rows)
    for turn, losses in zip(strategy.turns, found, strict=True):
        assert all(value.isfinite() for value in losses.values())
        losses["loss"].backward()
        slopes = [p.grad for p in strategy.networks[turn.learns].parameters() if p.grad is not None]
        assert slopes and all(slope.isfinite().all() for slope in slopes)
        assert any(slope.any() for slope in slopes)
    if not batch[1].any():
        assert all(found[0][name] == 0 for name in found[0].keys() & OF_PRESENT)


@pytest.mark.parametrize("method", ["p_noc", "eader"])
def test_the_network_that_learns_in_turn_sees_it_whole(method):
    """A true negative for it too: nothing is erased, and all its targets are 0."""
    strategy, batch, (_, losses) = first_losses(method, [2])
    learns = strategy.turns[1].learns
    wanted = tiny.by_loops(strategy.networks[learns](batch[0]), batch[1])
    assert losses.get("found", losses["loss"]).item() == pytest.approx(wanted, rel=1e-5)
