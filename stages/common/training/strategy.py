"""What a training does with each batch: which networks there are, and which of them learns what in turn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from stages.common.training.params import Encoder, Optimizer

MAIN = "main"  # the network that the step keeps

Batch = tuple[Tensor, ...]  # what Samples.sample returns, stacked
Losses = dict[str, Tensor]  # named scalars; "loss" is minimised, the others are only told
Networks = Mapping[str, Callable[..., Any]]
"""The networks as a loss has them: `networks["main"](x)` is all that it can do with one.

The call gives what `forward` returns: a tensor, a tuple or a dict of tensors, in float32.
"""


def always(_: int) -> bool:
    return True


@dataclass(frozen=True)
class Turn:
    """One update of one network.

    The gradient may pass through the other networks to what the learner made, but it leaves them as they
    are. During the turn the learner is in train mode and all others are in eval mode.
    """

    learns: str  # the name of the network whose weights move
    loss: Callable[[Networks, Batch, float], Losses]  # the float: share of the steps done, for ramps
    optimizer: Optimizer | None = None  # None: the step's own
    due: Callable[[int], bool] = always  # whether the turn is taken in a step, counted from 0
    encoder: Encoder | None = None  # which blocks of the learner's encoder are frozen; None: as the step's


@dataclass(frozen=True)
class Strategy:
    """The networks of a training and their turns, which each batch takes in this order.

    A network without a turn is a frozen helper: it stays in eval mode, no optimizer has it and no
    checkpoint holds it, so the step makes it anew for each run.
    """

    networks: dict[str, nn.Module]
    turns: tuple[Turn, ...]
    learners: tuple[str, ...] = field(init=False)  # the networks that have a turn, in the order of `networks`

    def __post_init__(self) -> None:
        learners = {turn.learns for turn in self.turns}
        if unknown := learners - self.networks.keys():
            raise ValueError(f"a turn trains {', '.join(sorted(unknown))}: there is no such network")
        if MAIN not in learners:
            raise ValueError(f"no turn trains the network {MAIN!r}, which is the one that the step keeps")
        object.__setattr__(self, "learners", tuple(name for name in self.networks if name in learners))
        for name in self.learners:
            settings = [(turn.optimizer, turn.encoder) for turn in self.turns_of(name)]
            if any(other != settings[0] for other in settings):
                raise ValueError(f"the turns of the network {name!r} must name one optimizer and one encoder")

    def turns_of(self, name: str) -> list[Turn]:
        return [turn for turn in self.turns if turn.learns == name]

    def updates(self, name: str, steps: int) -> int:
        """How many updates a network gets in the first `steps` steps."""
        return sum(turn.due(step) for turn in self.turns_of(name) for step in range(steps))

    def prefixes(self) -> list[str]:
        """What stands before the names of each turn's losses, so that no two turns share a column.

        Nothing for the first turn of `main`; the network's name for another's (oc.loss); from a network's
        second turn on, with its number (main2.loss).
        """
        found, seen = [], dict.fromkeys(self.networks, 0)
        for turn in self.turns:
            seen[turn.learns] += 1
            number = seen[turn.learns]
            label = turn.learns + (str(number) if number > 1 else "")
            found.append("" if label == MAIN else f"{label}.")
        return found


def one(network: nn.Module, loss: Callable[[Networks, Batch, float], Losses]) -> Strategy:
    """The usual strategy: one network, one loss."""
    return Strategy({MAIN: network}, (Turn(MAIN, loss),))
