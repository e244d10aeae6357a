"""One training loop for the three networks: resumable at any step, equal bytes from equal inputs.

What a sample looks like depends on (seed, epoch, index) and on nothing else, so the order of the
loader's workers, a kill and a resume change nothing.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from stages.common import encoders
from stages.common.device import device
from stages.common.items import SCRATCH, worker_count
from stages.common.networks import History
from stages.common.progress import track
from stages.common.training_params import Optimizer, Training

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
CHECKPOINT_SECONDS = 120.0


class Samples(Protocol):
    """The training pictures: `sample(index, rng)` returns the tensors of one random view."""

    def __len__(self) -> int: ...
    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, ...]: ...


class Network(Protocol):
    encoder: nn.Module


def fit(
    step: str,
    model: nn.Module,
    samples: Samples,
    loss: Callable[[nn.Module, tuple[Tensor, ...]], dict[str, Tensor]],
    params: Training,
    key: str,
) -> History:
    """Train `model` in place; returns one row an epoch (epoch, lr and the mean of each loss).

    `loss(model, batch)` gives named scalars, of which "loss" is minimised. `key` names what the
    training was made from: its checkpoint in .scratch is used by no other.
    Raises ValueError when a loss or gradient is not finite; the checkpoint stays.
    """
    torch.set_num_threads(params.threads)
    torch.manual_seed(params.seed)
    fabric = _fabric(params.precision)
    encoder: nn.Module = model.encoder  # type: ignore[assignment]
    encoders.freeze(encoder, params.encoder)
    optimizer = make_optimizer(model, encoder, params.optimizer)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast in bf16
    wrapped, optimizer = fabric.setup(model, optimizer)
    per_epoch = max(1, len(samples) // params.batch)
    state = _State(wrapped, optimizer, fabric, SCRATCH / "training" / step / key / "last.pt")
    state.load()
    total = per_epoch * params.epochs
    batches = _batches(samples, params, per_epoch, state.step, fabric)
    saved, first = time.monotonic(), state.step
    with _Termination() as termination:
        for number, batch in enumerate(track(batches, total - first, step), first):
            encoders.train_mode(wrapped, encoder, params.encoder)
            set_rate(optimizer, params.optimizer, number / total)
            _step(step, wrapped, optimizer, fabric, loss, batch, state, params, number // per_epoch + 1)
            state.step = number + 1
            if state.step % per_epoch == 0:
                state.close_epoch(optimizer.param_groups[0]["lr"])
            if termination.asked or time.monotonic() - saved > CHECKPOINT_SECONDS or _ends(state, per_epoch):
                state.save()
                saved = time.monotonic()
            if termination.asked:
                raise SystemExit(128 + signal.SIGTERM)
    model.eval()
    return state.history


def forget(step: str) -> None:
    """Remove the step's checkpoints: its outputs are written."""
    shutil.rmtree(SCRATCH / "training" / step, ignore_errors=True)


def make_optimizer(model: nn.Module, encoder: nn.Module, params: Optimizer) -> torch.optim.Optimizer:
    """Four groups as in PSA: weights and biases, of the encoder and of the new layers.

    "Biases" are all tensors of one dimension, scales of norms included; they are decayed only if
    asked. Each group keeps its `multiple` of the learning rate.
    """
    old = {id(p) for p in encoder.parameters()}
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in old, parameter.ndim <= 1), []).append(parameter)
    settings: list[dict[str, Any]] = [
        {
            "params": group,
            "multiple": (1.0 if of_encoder else params.head_multiple)
            * (params.bias_multiple if bias else 1.0),
            "weight_decay": 0.0 if bias and not params.decay_bias else params.weight_decay,
        }
        for (of_encoder, bias), group in groups.items()
    ]
    if params.name == "sgd":
        return torch.optim.SGD(settings, lr=params.lr, momentum=params.momentum)
    return torch.optim.AdamW(settings, lr=params.lr)


def set_rate(optimizer: torch.optim.Optimizer, params: Optimizer, done: float) -> None:
    """The poly schedule lr * (1 - done) ** power after a linear warm-up; `done` in [0, 1)."""
    rate = params.lr * (1 - done) ** params.poly_power
    if done < params.warmup:
        rate *= (done + 1e-3) / params.warmup
    for group in optimizer.param_groups:
        group["lr"] = rate * group["multiple"]


def _fabric(precision: str) -> Any:
    from lightning.fabric import Fabric

    place = device()
    if precision == "fp16" and place.type == "cpu":
        raise ValueError("precision fp16 needs a GPU: use bf16 or fp32 on a CPU")
    devices: Any = [place.index or 0] if place.type == "cuda" else 1
    return Fabric(accelerator=place.type, devices=devices, precision=PRECISIONS[precision])  # type: ignore[arg-type]


def _ends(state: "_State", per_epoch: int) -> bool:
    return state.step % per_epoch == 0


def _step(
    step: str,
    model: Any,
    optimizer: Any,
    fabric: Any,
    loss: Callable[[nn.Module, tuple[Tensor, ...]], dict[str, Tensor]],
    batch: tuple[Tensor, ...],
    state: "_State",
    params: Training,
    epoch: int,
) -> None:
    losses = loss(model, batch)
    fabric.backward(losses["loss"])
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    finite = torch.isfinite(losses["loss"])
    if params.precision != "fp16":  # its gradients may overflow: the scaler skips such a step
        finite = finite & torch.isfinite(torch.nn.utils.get_total_norm(gradients))
    if not finite:
        raise ValueError(
            f"{step}: the loss or a gradient is not finite in epoch {epoch}, step {state.step}; lower "
            f"optimizer.lr (now {params.optimizer.lr}) or raise the precision; last good state: {state.path}"
        )
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    state.add({name: float(value.detach()) for name, value in losses.items()})


class _State:
    """Everything a training goes on from, saved atomically."""

    def __init__(self, model: Any, optimizer: Any, fabric: Any, path: Path) -> None:
        self.model, self.optimizer, self.fabric, self.path = model, optimizer, fabric, path
        self.step, self.history = 0, []  # type: tuple[int, History]
        self.sums: dict[str, float] = {}
        self.count = 0

    def add(self, losses: dict[str, float]) -> None:
        self.count += 1
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def close_epoch(self, rate: float) -> None:
        means = {name: value / self.count for name, value in self.sums.items()}
        self.history.append({"epoch": len(self.history) + 1, "lr": rate, **means})
        self.sums, self.count = {}, 0

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        torch.save(
            {
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "precision": self.fabric._precision.state_dict(),
                "random": torch.get_rng_state(),
                "progress": [self.step, self.history, self.sums, self.count],
            },
            partial,
        )
        os.replace(partial, self.path)

    def load(self) -> None:
        if not self.path.is_file():
            return
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.fabric._precision.load_state_dict(state["precision"])
        torch.set_rng_state(state["random"])
        self.step, self.history, self.sums, self.count = state["progress"]
        print(f"resumed from step {self.step}", flush=True)


class _Drawn(Dataset):
    """Samples drawn by (epoch, index)."""

    def __init__(self, samples: Samples, seed: int) -> None:
        self.samples, self.seed = samples, seed

    def __getitem__(self, place: tuple[int, int]) -> tuple[Tensor, ...]:
        epoch, index = place
        return self.samples.sample(index, np.random.default_rng((self.seed, epoch, index)))


def _batches(
    samples: Samples, params: Training, per_epoch: int, first: int, fabric: Any
) -> Iterator[tuple[Tensor, ...]]:
    """The batches from step `first` on. Each epoch is a permutation; what fills no batch waits."""
    places: list[list[tuple[int, int]]] = []
    for epoch in range(params.epochs):
        order = np.random.default_rng((params.seed, epoch)).permutation(len(samples)).tolist()
        for n in range(per_epoch):
            places.append([(epoch, i) for i in order[n * params.batch : (n + 1) * params.batch]])
    gpu = fabric.device.type == "cuda"
    loader = DataLoader(
        _Drawn(samples, params.seed),
        batch_sampler=places[first:],
        num_workers=worker_count() if gpu else 0,  # on a CPU the network wants all cores
        pin_memory=gpu,
        generator=torch.Generator(),  # or it draws from the global one, and a resume would differ
    )
    for batch in loader:
        yield tuple(fabric.to_device(_channels_last(tensor)) for tensor in batch)


def _channels_last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


class _Termination:
    """Inside the block, SIGTERM asks for a checkpoint instead of ending the process."""

    asked = False

    def __enter__(self) -> "_Termination":
        self.before = signal.signal(signal.SIGTERM, lambda *_: setattr(self, "asked", True))
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self.before)
