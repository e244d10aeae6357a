"""What a training goes on from: saved atomically, read with suspicion, and written when it is told to end."""

import io
import os
import signal
import time
import zipfile
from pathlib import Path
from typing import Any

import torch

from stages.common.items import SCRATCH, touch
from stages.common.networks import store
from stages.common.networks.store import History
from stages.common.training.learners import Learners

CHECKPOINTS = SCRATCH / "training"  # <step>/<key>/last.pt
CHECKPOINT_SECONDS = 120.0
PARTS = {"networks", "optimizers", "precision", "random", "progress"}


class State:
    """The networks that learn and their optimizers by name, random numbers, and how far the training is."""

    def __init__(self, learners: Learners, fabric: Any, path: Path) -> None:
        self.learners, self.fabric, self.path = learners, fabric, path
        self.step = 0
        self.history: History = []
        self.saved = 0  # the step of the checkpoint, 0 if there is none
        self.clock = time.monotonic()  # of the last save
        self.sums: dict[str, float] = {}  # of this epoch, by column
        self.counts: dict[str, int] = {}

    def add(self, losses: dict[str, float]) -> None:
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def close_epoch(self, rate: float) -> None:
        means = {name: value / self.counts[name] for name, value in self.sums.items()}
        self.history.append({"epoch": len(self.history) + 1, "lr": rate, **means})
        self.sums, self.counts = {}, {}

    def due(self) -> bool:
        return time.monotonic() - self.clock > CHECKPOINT_SECONDS

    def save(self) -> None:
        """By rank 0 alone: the state of all ranks is the same."""
        self.clock = time.monotonic()
        if not self.fabric.is_global_zero:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(f".{os.getpid()}.partial")  # two runs may be at the same training
        try:
            with partial.open("wb") as file:
                torch.save(self._content(), file)
                file.flush()
                os.fsync(file.fileno())  # before the rename, or a power cut may leave an empty file
            os.replace(partial, self.path)
            self.saved = self.step
        finally:
            partial.unlink(missing_ok=True)

    def _content(self) -> dict[str, Any]:
        learners = self.learners.of
        return {
            "networks": {name: learner.network.state_dict() for name, learner in learners.items()},
            "optimizers": {name: learner.optimizer.state_dict() for name, learner in learners.items()},
            "precision": self.fabric.strategy.precision.state_dict(),  # of fp16: the scale of its gradients
            "random": random_state(self.fabric.device),
            "progress": [self.step, self.history, self.sums, self.counts],
        }

    def load(self, total: int) -> None:
        """All ranks load what rank 0 read: another run may replace the file in between."""
        content = self.fabric.broadcast(self._read() if self.fabric.is_global_zero else None)
        if content is None:
            return
        state = self._understood(content)
        for name, learner in self.learners.of.items():
            learner.network.load_state_dict(state["networks"][name])
            learner.optimizer.load_state_dict(state["optimizers"][name])
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        set_random_state(state["random"], self.fabric.device)
        self.step, self.history, self.sums, self.counts = state["progress"]
        self.saved = self.step
        self.learners.go_on(self.step)
        if self.fabric.is_global_zero:
            touch(self.path.parent)  # in use: nobody removes it
            over = f": trained before; to train anew, remove {self.path.parent}" if self.step >= total else ""
            print(f"resumed from step {self.step}{over}", flush=True)

    def _read(self) -> bytes | None:
        """The checkpoint's bytes; None, with a word, if it is not whole: a full disk, a power cut."""
        try:
            content = self.path.read_bytes()
            self._understood(content)
        except FileNotFoundError:
            return None
        except Exception as error:  # whatever a damaged pickle or archive makes torch raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            print(f"{self.path} is damaged ({reason}): trained from the first step", flush=True)
            return None
        return content

    def _understood(self, content: bytes) -> dict[str, Any]:
        """The state of a checkpoint. Raises anything if it is damaged, or not of these networks."""
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if part := archive.testzip():  # torch does not compare the checksums
                raise ValueError(f"wrong checksum of {part}")
        state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if missing := PARTS - state.keys():
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        wanted = self.learners.of
        if not state["networks"].keys() == state["optimizers"].keys() == wanted.keys():
            raise ValueError("it is of other networks")
        for name, tensors in state["networks"].items():
            shapes = {key: value.shape for key, value in wanted[name].network.state_dict().items()}
            if {key: value.shape for key, value in tensors.items()} != shapes:
                raise ValueError("it is of another network")
            if bad := store.not_finite(tensors):
                raise ValueError(f"{bad} is not finite")
        return state


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """Of the generators that a training on `device` draws from: dropout draws on the device itself."""
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def set_random_state(states: dict[str, torch.Tensor], device: torch.device) -> None:
    """Go on drawing where `states` were taken; on a kind of device that they lack, as it comes."""
    torch.set_rng_state(states["cpu"])
    if device.type in states and device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)


class Termination:
    """Inside the block, SIGTERM asks for a checkpoint instead of ending the process."""

    asked = False

    def __enter__(self) -> "Termination":
        self.before = signal.signal(signal.SIGTERM, lambda *_: setattr(self, "asked", True))
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self.before)
