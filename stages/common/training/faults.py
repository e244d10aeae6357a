"""What ends a training with one clear error: what is not finite, and batch norm with one picture."""

from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor

from stages.common.networks import store
from stages.common.training.checkpoint import State
from stages.common.training.learners import Learner
from stages.common.training.params import Training
from stages.common.training.ranks import leave
from stages.common.training.strategy import MAIN, Batch, Losses, Networks, Turn


@dataclass(frozen=True)
class Faults:
    """The checks of one training, which know what its messages name."""

    step: str
    params: Training
    fabric: Any
    state: State

    def losses(self, turn: Turn, called: Networks, batch: Batch, done: float) -> Losses:
        """The losses of a turn, or a word about batch norm that had one picture."""
        try:
            return turn.loss(called, batch, done)
        except ValueError as error:
            if "Expected more than 1 value per channel" not in str(error):
                raise
            self._leave_to_rank_zero()
            raise ValueError(
                f"{self.step}: batch norm cannot train on {len(batch[0])} picture, which is what each of "
                f"{self.fabric.world_size} device(s) gets here: raise {self.step}.batch (now "
                f"{self.params.batch}), lower WSSS_DEVICES, take a larger crop, or add training pictures"
            ) from error

    def finite(self, loss: Tensor, learner: Learner) -> Tensor:
        """Whether the loss and the gradients are finite, without a wait for the GPU.

        Gradients of fp16 may overflow: the scaler skips such an update.
        """
        found = torch.isfinite(loss)
        if self.params.precision != "fp16":
            gradients = [p.grad for p in learner.network.parameters() if p.grad is not None]
            found = found & torch.isfinite(torch.nn.utils.get_total_norm(gradients))
        return found

    def diverged(self, learner: Learner, epoch: int) -> NoReturn:
        of = "" if learner.name == MAIN else f" of the network {learner.name}"
        self._stop(
            f"the loss or a gradient{of} is not finite in epoch {epoch}, step {self.state.step}", learner
        )

    def check_weights(self) -> None:
        """Before a checkpoint: a step may have made weights that only the next loss would show.

        The networks are the same in all ranks, so all end here together.
        """
        for name, learner in self.state.learners.of.items():
            if bad := store.not_finite(learner.network.state_dict()):
                of = "" if name == MAIN else f" of the network {name}"
                self._stop(f"{bad}{of} is not finite after step {self.state.step}", learner)

    def _stop(self, what: str, learner: Learner) -> NoReturn:
        self._leave_to_rank_zero()
        own = learner.settings is self.params.optimizer
        rate = f"{self.step}.optimizer.lr" if own else f"the learning rate of the network {learner.name}"
        precision = "" if self.params.precision == "fp32" else f" or take {self.step}.precision fp32"
        state = self.state
        kept = f"; the last good state, of step {state.saved}, is in {state.path}" if state.saved else ""
        raise ValueError(
            f"{self.step}: {what}; lower {rate} (now {learner.settings.lr}){precision}: it then trains from "
            f"its first step{kept}"
        )

    def _leave_to_rank_zero(self) -> None:
        """All ranks come here together; rank 0 tells."""
        if not self.fabric.is_global_zero:
            leave(0)
