"""The training loop: resumable at any step, equal bytes from equal inputs.

What a sample looks like depends on (seed, epoch, index) and on nothing else, so the order of the
loader's workers, a kill and a resume change nothing. Several devices: `ranks.py`.
"""

import contextlib
import functools
import signal
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from stages.common import progress
from stages.common.items import remove_unused
from stages.common.networks.store import History
from stages.common.training import memory, ranks
from stages.common.training.batches import Samples, batches, steps_per_epoch
from stages.common.training.checkpoint import CHECKPOINTS, State, Termination
from stages.common.training.faults import Faults
from stages.common.training.learners import Learners
from stages.common.training.params import Training
from stages.common.training.strategy import MAIN, Batch, Losses, Strategy, Turn

Watch = Callable[[nn.Module], dict[str, float]]


def fit(
    step: str,
    strategy: Strategy,
    samples: Samples,
    params: Training,
    key: str,
    watch: Watch | None = None,
    alone: bool = False,
) -> History:
    """Train the networks in place; returns one row an epoch (epoch, lr of `main`, the mean of each loss).

    `key` names what the training was made from: its checkpoint in .scratch is used by no other. The
    checkpoint stays when the training has ended, for its outputs are safe only when DVC has saved them; it
    goes when nobody used it for a week (items.UNUSED_SECONDS).
    `watch(main)` is called after each epoch, by rank 0 alone, with the network in eval mode; the numbers
    that it returns join the epoch's row. It must not draw random numbers. The others wait for it.
    A row has a column for each named loss, nan where its turn was not due in the whole epoch.
    Raises ValueError when a loss, a gradient or a weight is not finite; the checkpoint stays.

    With several devices each rank gets an equal share of the batch, so a loss that is a mean over
    pictures is the mean of the ranks' losses. One that is normalised by what its batch holds (known
    pixels, pairs of a kind) is normalised in each share by itself, and then averaged; so does batch
    norm, whose running statistics are rank 0's. Only rank 0 returns: the others end here. A step's second
    training is `alone`, on one device, for the ranks that run its command again leave in the first.
    """
    fabric = ranks.make_fabric(params, len(samples), static=len(strategy.turns) == 1, alone=alone)
    train = functools.partial(_train, fabric, step, strategy, samples, params, key, watch)
    return train() if fabric.world_size == 1 else ranks.as_rank(fabric, train)


def _train(
    fabric: Any,
    step: str,
    strategy: Strategy,
    samples: Samples,
    params: Training,
    key: str,
    watch: Watch | None,
) -> History:
    torch.set_num_threads(params.threads)
    if fabric.device.type == "cpu":
        memory.keep()
    torch.manual_seed(params.seed)
    per_epoch = steps_per_epoch(samples, params)
    total = per_epoch * params.epochs
    learners = Learners(strategy, params, total, fabric)
    state = State(learners, fabric, CHECKPOINTS / step / key / "last.pt")
    state.load(total)
    faults = Faults(step, params, fabric, state)
    turns = list(zip(strategy.turns, strategy.prefixes(), strict=True))
    drawn = batches(samples, params, state.step, fabric)
    if fabric.is_global_zero:
        drawn = progress.track(drawn, total, step, "steps", state.step)
    with contextlib.closing(drawn), Termination() as termination:
        for number, batch in enumerate(drawn, state.step):
            for turn, prefix in turns:
                if turn.due(number):
                    losses = _take(turn, batch, number / total, learners, faults, number // per_epoch + 1)
                    state.add({prefix + name: mean for name, mean in losses.items()})
            state.step = number + 1
            if ends := state.step % per_epoch == 0:
                _close_epoch(step, state, params.epochs, watch)
            stop = any(ranks.over_ranks(fabric, [float(termination.asked)]))
            if stop or ends or state.due():
                faults.check_weights()
                state.save()
            if stop:
                raise SystemExit(128 + signal.SIGTERM if fabric.is_global_zero else 0)
    if fabric.is_global_zero:
        remove_unused(CHECKPOINTS / step, {key})
    learners.end()
    return _even(state.history)


def _take(
    turn: Turn, batch: Batch, done: float, learners: Learners, faults: Faults, epoch: int
) -> dict[str, float]:
    """One update of the network that learns; returns the means of its losses over the ranks."""
    fabric, learner = faults.fabric, learners.of[turn.learns]
    losses = faults.losses(turn, learners.begin(turn), batch, done)
    fabric.backward(losses["loss"])
    means = _means(losses, faults.finite(losses["loss"], learner), fabric)
    if means is None:
        faults.diverged(learner, epoch)
    learner.update()
    ranks.share_statistics(fabric, learner.network)
    return means


def _means(losses: Losses, finite: torch.Tensor, fabric: Any) -> dict[str, float] | None:
    """The mean of each loss over the ranks; None if `finite` is false in one of them."""
    numbers = torch.stack([(~finite).float(), *(v.detach().float() for v in losses.values())])
    bad, *means = ranks.over_ranks(fabric, numbers.tolist())  # one wait for the GPU
    return None if bad else dict(zip(losses, means, strict=True))


def _close_epoch(step: str, state: State, epochs: int, watch: Watch | None) -> None:
    main = state.learners.of[MAIN]
    state.close_epoch(main.optimizer.param_groups[0]["lr"])
    if not state.fabric.is_global_zero:
        return
    row = state.history[-1]
    if watch:
        row |= watch(main.network.eval())
    means = {name: value for name, value in row.items() if name not in ("epoch", "lr")}
    progress.epoch(step, int(row["epoch"]), epochs, means)


def _even(history: History) -> History:
    """The rows with the same columns in each."""
    names = dict.fromkeys(name for row in history for name in row)
    return [{name: row.get(name, float("nan")) for name in names} for row in history]
