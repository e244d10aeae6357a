"""Puzzle-CAM (https://arxiv.org/abs/2101.11253)."""

import pytest
import torch
from torch import nn

from stages.classifier import puzzle
from stages.classifier.loss import soft_margin
from stages.classifier.params import Puzzle
from tests.classifier import tiny

OPTIONS = Puzzle(weight=0.31, ramp=0.5)


def test_the_reconstruction_is_a_mean_over_places_and_present_classes():
    maps, joined = torch.zeros(2, 2, 4, 4), torch.zeros(2, 2, 4, 4)
    maps[0, 0, 0, 0], joined[0, 1], joined[1, 0] = 8.0, -3.0, 100.0
    targets = torch.tensor([[1.0, 1], [0, 1]])  # the 100 is of an absent class
    # |8| / 16 places and |-3| of the two classes of the first picture, 0 of the second: over three classes
    assert float(puzzle.reconstruction(maps, joined, targets)) == pytest.approx((0.5 + 3) / 3)
    assert float(puzzle.reconstruction(maps, joined, torch.zeros(2, 2))) == 0


def test_both_maps_get_a_gradient_and_absent_classes_none():
    maps, joined = (torch.randn(1, 2, 4, 4, requires_grad=True) for _ in range(2))
    puzzle.reconstruction(maps, joined, torch.tensor([[1.0, 0]])).backward()
    for tensor in (maps, joined):
        assert tensor.grad[0, 0].abs().min() == 1 / 16 and tensor.grad[0, 1].abs().max() == 0


class Pointwise(nn.Module):
    """A network without context: a 1x1 convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, tiny.CLASSES, 1)

    def forward(self, x, maps=False):
        found = self.head(x)
        return (found.mean((2, 3)), found) if maps else found.mean((2, 3))


def test_a_network_without_context_has_nothing_to_reconstruct():
    losses = puzzle.loss(OPTIONS, 0.0, {"main": Pointwise()}, tiny.batch(False), 1.0)
    torch.testing.assert_close(losses["reconstruction"], torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(losses["whole"], losses["quarters"])


def test_the_loss_is_the_sum_of_its_parts():
    network, (pictures, targets) = (
        tiny.sighted(tiny.new(tiny.params("puzzle")).networks["main"]).eval(),
        tiny.batch(False),
    )
    losses = puzzle.loss(OPTIONS, 0.1, {"main": network}, (pictures, targets), 0.25)
    tiles = [pictures[:, :, y : y + 16, x : x + 16] for y in (0, 16) for x in (0, 16)]
    maps = [network.head(network.features(tile)) for tile in tiles]
    joined = torch.cat([torch.cat(maps[:2], 3), torch.cat(maps[2:], 3)], 2)
    whole = network.head(network.features(pictures))
    present = targets > 0
    apart = (whole - joined)[present].abs().mean()
    wanted = (
        soft_margin(whole.mean((2, 3)), targets, 0.1)
        + soft_margin(joined.mean((2, 3)), targets, 0.1)
        + 0.5 * 0.31 * apart  # half of the ramp
    )
    assert apart > 0.01
    torch.testing.assert_close(losses["loss"], wanted)


def test_the_weight_grows_and_then_stays():
    assert [puzzle.weight(OPTIONS, done) for done in (0, 0.25, 0.5, 0.9)] == pytest.approx(
        [0, 0.155, 0.31, 0.31]
    )
    assert puzzle.weight(Puzzle(weight=2.0, ramp=0.0), 0.0) == 2.0
