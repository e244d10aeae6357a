"""One training loop for the three networks: resumable at any step, equal bytes from equal inputs.

What a sample looks like depends on (seed, epoch, index) and on nothing else, so the order of the
loader's workers, a kill and a resume change nothing.

With WSSS_DEVICES=N, N processes ("ranks") train on a share of each batch and average the gradients.
Rank 0 is the stage; it starts the others by running its own command again, and they leave in `fit`.
"""

import contextlib
import functools
import gc
import io
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from stages.common import door, encoders, progress
from stages.common.device import device, device_count
from stages.common.items import SCRATCH, remove_unused, worker_count
from stages.common.networks import History
from stages.common.processes import die_with_parent
from stages.common.training_params import Optimizer, Training

CHECKPOINTS = SCRATCH / "training"  # <step>/<key>/last.pt
PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
CHECKPOINT_SECONDS = 120.0
RANK_ZERO = "WSSS_RANK_ZERO"  # in the environment of the other ranks: the process that started them
# Of a launcher around us, if there is one: our ranks have their own.
LAUNCH = ("LOCAL_RANK", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT")


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

    With several devices each rank gets an equal share of the batch, so a loss that is a mean over
    pictures is the mean of the ranks' losses. One that is normalised by what its batch holds (known
    pixels, pairs of a kind) is normalised in each share by itself, and then averaged; so does batch
    norm, whose running statistics are rank 0's. Only rank 0 returns: the others end here.
    """
    fabric = _fabric(params, len(samples))
    train = functools.partial(_train, fabric, step, model, samples, loss, params, key)
    return train() if fabric.world_size == 1 else _rank(fabric, train)


def _train(
    fabric: Any,
    step: str,
    model: nn.Module,
    samples: Samples,
    loss: Callable[[nn.Module, tuple[Tensor, ...]], dict[str, Tensor]],
    params: Training,
    key: str,
) -> History:
    torch.set_num_threads(params.threads)
    torch.manual_seed(params.seed)
    encoder: nn.Module = model.encoder  # type: ignore[assignment]
    encoders.freeze(encoder, params.encoder)
    optimizer = make_optimizer(model, encoder, params.optimizer)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast in bf16
    wrapped, optimizer = fabric.setup(model, optimizer)
    per_epoch = max(1, len(samples) // params.batch)
    state = _State(wrapped, optimizer, fabric, CHECKPOINTS / step / key / "last.pt")
    state.load()
    total = per_epoch * params.epochs
    batches = _batches(samples, params, per_epoch, state.step, fabric)
    if fabric.is_global_zero:
        batches = progress.track(batches, total, step, "steps", state.step)
    saved, first = time.monotonic(), state.step
    with contextlib.closing(batches), _Termination() as termination:
        for number, batch in enumerate(batches, first):
            encoders.train_mode(wrapped, encoder, params.encoder)
            set_rate(optimizer, params.optimizer, number / total)
            _step(step, wrapped, optimizer, fabric, loss, batch, state, params, number // per_epoch + 1)
            state.step = number + 1
            if state.step % per_epoch == 0:
                state.close_epoch(optimizer.param_groups[0]["lr"])
                _tell_epoch(step, state, params.epochs)
            stop = any(_over_ranks(fabric, [float(termination.asked)]))
            if stop or time.monotonic() - saved > CHECKPOINT_SECONDS or _ends(state, per_epoch):
                state.save()
                saved = time.monotonic()
            if stop:
                raise SystemExit(128 + signal.SIGTERM if fabric.is_global_zero else 0)
    model.eval()
    return state.history


def forget(step: str, key: str) -> None:
    """Remove the checkpoint of a training whose outputs are written, and those nobody goes on with."""
    shutil.rmtree(CHECKPOINTS / step / key, ignore_errors=True)
    remove_unused(CHECKPOINTS / step)


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


def _fabric(params: Training, samples: int) -> Any:
    """Where and in what precision to train; with several devices, the other ranks are started here."""
    from lightning.fabric import Fabric

    place, count = device(), device_count()
    if params.precision == "fp16" and place.type == "cpu":
        raise ValueError("precision fp16 needs a GPU: use bf16 or fp32 on a CPU")
    precision: Any = PRECISIONS[params.precision]
    if count > 1:
        return _launched(count, min(params.batch, samples), place.type, precision)
    devices: Any = [place.index or 0] if place.type == "cuda" else 1
    return Fabric(accelerator=place.type, devices=devices, precision=precision)


def _launched(count: int, batch: int, accelerator: str, precision: Any) -> Any:
    from lightning.fabric import Fabric
    from lightning.fabric.plugins.environments import LightningEnvironment
    from lightning.fabric.strategies import DDPStrategy

    if batch % count:
        raise ValueError(
            f"WSSS_DEVICES={count} must divide the batch, which is {batch}: each device takes an equal share"
        )
    _know_rank_zero()
    fabric = Fabric(
        accelerator=accelerator,
        devices=count,
        precision=precision,
        strategy=DDPStrategy(static_graph=True),  # AffinityNet may leave levels of its encoder unused
        plugins=[LightningEnvironment()],
    )
    fabric.launch()
    return fabric


def _know_rank_zero() -> None:
    """Before the launch, rank 0 says who it is; the others end with it, whatever they wait for.

    By SIGKILL: a rank that waits for another in a library's code handles no signal.
    """
    if RANK_ZERO in os.environ:
        die_with_parent(int(os.environ[RANK_ZERO]), signal.SIGKILL)
        return
    os.environ[RANK_ZERO] = str(os.getpid())
    for name in LAUNCH:
        os.environ.pop(name, None)


def _over_ranks(fabric: Any, numbers: list[float]) -> list[float]:
    """The mean of each number over the ranks, the same in all of them; alone, the numbers as they are."""
    if fabric.world_size == 1:
        return numbers
    tensor = torch.tensor(numbers, dtype=torch.float64, device=fabric.device)
    torch.distributed.all_reduce(tensor)
    means: list[float] = (tensor / fabric.world_size).tolist()
    return means


def _rank(fabric: Any, train: Callable[[], History]) -> History:
    """Train as one of several ranks: rank 0 returns if all went well; every other end ends the process.

    At once, without the interpreter's clean-up: that may wait for a thread of the process group, which
    waits for the interpreter. Where one fails, the others fail too, or Fabric's observer kills them.
    """
    try:
        history, status = train(), 0
    except SystemExit as end:  # all ranks stop together
        history, status = [], int(end.code or 0)
    except door.USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        _leave(door.USER_ERROR)
    except BaseException:
        traceback.print_exc()
        _leave(1)
    fabric.barrier()
    gc.collect()  # the network's wrapper goes before the group: the last to end the group is what waits
    torch.distributed.destroy_process_group()
    if status or not fabric.is_global_zero:
        _leave(status)
    return history


def _leave(status: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _tell_epoch(step: str, state: "_State", epochs: int) -> None:
    if state.fabric.is_global_zero:
        row = state.history[-1]
        means = {name: value for name, value in row.items() if name not in ("epoch", "lr")}
        progress.epoch(step, int(row["epoch"]), epochs, means)


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
    bad, *means = _over_ranks(fabric, [float(not finite), *(float(v.detach()) for v in losses.values())])
    if bad and not fabric.is_global_zero:
        _leave(0)  # rank 0 tells
    if bad:
        raise ValueError(
            f"{step}: the loss or a gradient is not finite in epoch {epoch}, step {state.step}; lower "
            f"optimizer.lr (now {params.optimizer.lr}) or raise the precision; last good state: {state.path}"
        )
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    state.add(dict(zip(losses, means, strict=True)))


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
        """By rank 0 alone: the state of all ranks is the same."""
        if not self.fabric.is_global_zero:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(f".{os.getpid()}.partial")  # two runs may be at the same training
        try:
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
        finally:
            partial.unlink(missing_ok=True)

    def load(self) -> None:
        """All ranks load what rank 0 read: another run may replace the file in between."""
        content = self.fabric.broadcast(self._read() if self.fabric.is_global_zero else None)
        if content is None:
            return
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.fabric._precision.load_state_dict(state["precision"])
        torch.set_rng_state(state["random"])
        self.step, self.history, self.sums, self.count = state["progress"]
        if self.fabric.is_global_zero:
            print(f"resumed from step {self.step}", flush=True)

    def _read(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None


class _Drawn(Dataset):
    """Samples drawn by (epoch, index)."""

    def __init__(self, samples: Samples, seed: int) -> None:
        self.samples, self.seed = samples, seed

    def __getitem__(self, place: tuple[int, int]) -> tuple[Tensor, ...]:
        epoch, index = place
        return self.samples.sample(index, np.random.default_rng((self.seed, epoch, index)))


def _batches(
    samples: Samples, params: Training, per_epoch: int, first: int, fabric: Any
) -> Generator[tuple[Tensor, ...], None, None]:
    """The batches from step `first` on, or this rank's share of them.

    Each epoch is a permutation; what fills no batch waits.
    """
    places: list[list[tuple[int, int]]] = []
    for epoch in range(params.epochs):
        order = np.random.default_rng((params.seed, epoch)).permutation(len(samples)).tolist()
        for n in range(per_epoch):
            places.append([(epoch, i) for i in order[n * params.batch : (n + 1) * params.batch]])
    share = slice(fabric.global_rank, None, fabric.world_size)
    gpu = fabric.device.type == "cuda"
    processes = max(1, worker_count() // fabric.world_size)
    loader = DataLoader(
        _Drawn(samples, params.seed),
        batch_sampler=[batch[share] for batch in places[first:]],
        num_workers=processes if gpu else 0,  # on a CPU the network wants all cores
        worker_init_fn=functools.partial(_start_loader, os.getpid()),
        pin_memory=gpu,
        generator=torch.Generator(),  # or it draws from the global one, and a resume would differ
    )
    for batch in loader:
        yield tuple(fabric.to_device(_channels_last(tensor)) for tensor in batch)


def _start_loader(parent: int, _: int) -> None:
    """In a process of the loader: a killed training leaves none behind."""
    die_with_parent(parent)


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
