"""The networks of a strategy while they train: who may move in a turn, and what a loss gets of them."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from stages.common.networks import encoders
from stages.common.training.depthwise import quicken
from stages.common.training.optimiser import make_optimizer, set_rate
from stages.common.training.params import Training
from stages.common.training.strategy import Networks, Strategy, Turn


class Learner:
    """A network that learns, its optimizer, and how many of its updates are made."""

    def __init__(self, name: str, strategy: Strategy, params: Training, steps: int, fabric: Any) -> None:
        turn = strategy.turns_of(name)[0]
        self.name, self.network = name, strategy.networks[name]
        self.settings, self.blocks = turn.optimizer or params.optimizer, turn.encoder or params.encoder
        self.encoder: nn.Module | None = getattr(self.network, "encoder", None)
        self.made, self.total = 0, strategy.updates(name, steps)
        if self.encoder is not None:
            encoders.freeze(self.encoder, self.blocks)
        self.weights = [p for p in self.network.parameters() if p.requires_grad]
        if not self.weights:
            raise ValueError(f"the network {name!r} has a turn, but none of its weights may move")
        if not self.total:
            raise ValueError(f"the network {name!r} learns in none of the {steps} steps: train more epochs")
        optimizer = make_optimizer(self.network, self.encoder, self.settings)
        _quick(self.network)
        self.wrapped, self.optimizer = fabric.setup(self.network, optimizer)

    def begin(self) -> None:
        """Train mode, frozen blocks aside, and the rate of the next update."""
        if self.encoder is None:
            self.wrapped.train()
        else:
            encoders.train_mode(self.wrapped, self.encoder, self.blocks)
        set_rate(self.optimizer, self.settings, self.made / self.total)

    def update(self) -> None:
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.made += 1

    def let_move(self, moves: bool) -> None:
        """Whether a backward pass reaches the weights; it may pass through the network in any case."""
        for weight in self.weights:
            weight.requires_grad_(moves)


class Learners:
    """All networks of a strategy on their device; those that learn by name in `of`."""

    def __init__(self, strategy: Strategy, params: Training, steps: int, fabric: Any) -> None:
        self.strategy = strategy
        self.of = {name: Learner(name, strategy, params, steps, fabric) for name in strategy.learners}
        for name, network in strategy.networks.items():
            if name not in self.of:
                fabric.to_device(_quick(network).requires_grad_(False))
        precision = fabric.strategy.precision
        self.still = {
            name: Called(name, functools.partial(_forward, network, precision))
            for name, network in strategy.networks.items()
        }

    def go_on(self, step: int) -> None:
        """After a resume: the updates that were made before."""
        for name, learner in self.of.items():
            learner.made = self.strategy.updates(name, step)

    def begin(self, turn: Turn) -> Networks:
        """One network learns now, the others hold still; returns them as a loss has them.

        Only the learner's call goes through what averages the gradients of several devices: with another
        network, that would wait for gradients which never come.
        """
        for name, network in self.strategy.networks.items():
            if name in self.of:
                self.of[name].let_move(name == turn.learns)
            if name != turn.learns:
                network.eval()
        learner = self.of[turn.learns]
        learner.begin()
        return self.still | {turn.learns: Called(turn.learns, learner.wrapped)}

    def end(self) -> None:
        """The training is over: eval mode, and what was frozen for a turn is so no more."""
        for learner in self.of.values():
            learner.let_move(True)
            learner.network.eval()


class Called:
    """A network as a loss has it: it can be called, and nothing else.

    Precision and devices hold in `forward` alone. Another method, or a layer of the network, would compute
    in float32, with gradients that the other devices do not see.
    """

    __slots__ = ("_name", "_run")

    def __init__(self, name: str, run: Callable[..., Any]) -> None:
        self._name, self._run = name, run

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self._run(*inputs, **options)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"networks[{self._name!r}].{name}: a loss can only call networks[{self._name!r}](x), for the "
            f"training's precision and devices hold nowhere else; let `forward` return what the loss needs"
        )


def _forward(network: nn.Module, precision: Any, *inputs: Any, **options: Any) -> Any:
    """The network in the training's precision, as Fabric calls the one that learns."""
    inputs, options = precision.convert_input((inputs, options))
    with precision.forward_context():
        output = network(*inputs, **options)
    return precision.convert_output(output)


def _quick(network: nn.Module) -> nn.Module:
    """In the memory layout that is twice as fast in bf16, and with gradients that a CPU finds fast there."""
    quicken(network)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
