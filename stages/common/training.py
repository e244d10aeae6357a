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
import signal
import sys
import time
import traceback
import zipfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from stages.common import door, encoders, networks, progress
from stages.common.device import device, device_count
from stages.common.items import SCRATCH, context, end_with_stage, remove_unused, touch, worker_count
from stages.common.networks import History
from stages.common.processes import die_with_parent
from stages.common.training_params import Optimizer, Training

CHECKPOINTS = SCRATCH / "training"  # <step>/<key>/last.pt
PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
CHECKPOINT_SECONDS = 120.0
RANK_ZERO = "WSSS_RANK_ZERO"  # in the environment of the other ranks: the process that started them
# Of a launcher around us, if there is one: our ranks have their own.
LAUNCH = ("LOCAL_RANK", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
_launches: list[int] = []  # of this process: there can be one


class Samples(Protocol):
    """The training pictures: `sample(index, rng)` returns the tensors of one random view."""

    def __len__(self) -> int: ...
    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, ...]: ...


class Network(Protocol):
    encoder: nn.Module


Watch = Callable[[nn.Module], dict[str, float]]


def fit(
    step: str,
    model: nn.Module,
    samples: Samples,
    loss: Callable[[nn.Module, tuple[Tensor, ...]], dict[str, Tensor]],
    params: Training,
    key: str,
    watch: Watch | None = None,
) -> History:
    """Train `model` in place; returns one row an epoch (epoch, lr and the mean of each loss).

    `loss(model, batch)` gives named scalars, of which "loss" is minimised. `key` names what the
    training was made from: its checkpoint in .scratch is used by no other. The checkpoint stays when the
    training has ended, for its outputs are safe only when DVC has saved them; it goes when nobody used it
    for a week (items.UNUSED_SECONDS).
    `watch(model)` is called after each epoch, by rank 0 alone, with the network in eval mode; the numbers
    that it returns join the epoch's row. It must not draw random numbers. The others wait for it.
    Raises ValueError when a loss, a gradient or a weight is not finite; the checkpoint stays.

    With several devices each rank gets an equal share of the batch, so a loss that is a mean over
    pictures is the mean of the ranks' losses. One that is normalised by what its batch holds (known
    pixels, pairs of a kind) is normalised in each share by itself, and then averaged; so does batch
    norm, whose running statistics are rank 0's. Only rank 0 returns: the others end here.
    """
    fabric = _fabric(params, len(samples))
    train = functools.partial(_train, fabric, step, model, samples, loss, params, key, watch)
    return train() if fabric.world_size == 1 else _rank(fabric, train)


def _train(
    fabric: Any,
    step: str,
    model: nn.Module,
    samples: Samples,
    loss: Callable[[nn.Module, tuple[Tensor, ...]], dict[str, Tensor]],
    params: Training,
    key: str,
    watch: Watch | None,
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
    total = per_epoch * params.epochs
    state.load(total)
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
                if watch and fabric.is_global_zero:
                    state.history[-1] |= watch(model.eval())
                _tell_epoch(step, state, params.epochs)
            stop = any(_over_ranks(fabric, [float(termination.asked)]))
            if stop or time.monotonic() - saved > CHECKPOINT_SECONDS or _ends(state, per_epoch):
                _check_weights(step, model, state, params)
                state.save()
                saved = time.monotonic()
            if stop:
                raise SystemExit(128 + signal.SIGTERM if fabric.is_global_zero else 0)
    if fabric.is_global_zero:
        remove_unused(CHECKPOINTS / step, {key})
    model.eval()
    return state.history


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
    if os.environ.get(RANK_ZERO) == str(os.getpid()):  # the others have it; a later training starts its own
        del os.environ[RANK_ZERO]
    return fabric


def _know_rank_zero() -> None:
    """Before the launch, rank 0 says who it is; the others end with it, whatever they wait for.

    By SIGKILL: a rank that waits for another in a library's code handles no signal.
    """
    if os.environ.get(RANK_ZERO, str(os.getpid())) != str(os.getpid()):
        die_with_parent(int(os.environ[RANK_ZERO]), signal.SIGKILL)
        return
    if _launches:
        raise RuntimeError("a process trains on several devices once: the ranks run its command again")
    _launches.append(os.getpid())
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
        print(f"error: {door.visible(error)}", file=sys.stderr)
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
    losses = _losses(step, model, fabric, loss, batch, params)
    fabric.backward(losses["loss"])
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    finite = torch.isfinite(losses["loss"])
    if params.precision != "fp16":  # its gradients may overflow: the scaler skips such a step
        finite = finite & torch.isfinite(torch.nn.utils.get_total_norm(gradients))
    numbers = torch.stack([(~finite).float(), *(v.detach().float() for v in losses.values())])
    bad, *means = _over_ranks(fabric, numbers.tolist())  # one wait for the GPU
    if bad:
        what = f"the loss or a gradient is not finite in epoch {epoch}, step {state.step}"
        _diverged(step, what, state, params)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    state.add(dict(zip(losses, means, strict=True)))


def _losses(
    step: str,
    model: Any,
    fabric: Any,
    loss: Callable[[nn.Module, tuple[Tensor, ...]], dict[str, Tensor]],
    batch: tuple[Tensor, ...],
    params: Training,
) -> dict[str, Tensor]:
    try:
        return loss(model, batch)
    except ValueError as error:
        if "Expected more than 1 value per channel" not in str(error):
            raise
        if not fabric.is_global_zero:
            _leave(0)  # rank 0 tells
        raise ValueError(
            f"{step}: batch norm cannot train on {len(batch[0])} picture, which is what each of "
            f"{fabric.world_size} device(s) gets here: raise {step}.batch (now {params.batch}), lower "
            "WSSS_DEVICES, take a larger crop, or add training pictures"
        ) from error


def _check_weights(step: str, model: nn.Module, state: "_State", params: Training) -> None:
    """Before a checkpoint: a step may have made weights that only the next loss would show.

    Weights are the same in all ranks, so all end here together; the statistics of batch norm are not,
    and of them those of rank 0 are kept.
    """
    tensors = dict(model.named_parameters() if state.fabric.world_size > 1 else model.state_dict())
    bad = networks.not_finite(tensors)
    if bad:
        _diverged(step, f"{bad} is not finite after step {state.step}", state, params)


def _diverged(step: str, what: str, state: "_State", params: Training) -> NoReturn:
    if not state.fabric.is_global_zero:
        _leave(0)  # rank 0 tells
    rates = f"lower {step}.optimizer.lr (now {params.optimizer.lr})"
    precision = "" if params.precision == "fp32" else f" or take {step}.precision fp32"
    kept = f"; the last good state, of step {state.saved}, is in {state.path}" if state.saved else ""
    raise ValueError(f"{step}: {what}; {rates}{precision}: it then trains from its first step{kept}")


class _State:
    """Everything a training goes on from, saved atomically."""

    def __init__(self, model: Any, optimizer: Any, fabric: Any, path: Path) -> None:
        self.model, self.optimizer, self.fabric, self.path = model, optimizer, fabric, path
        self.step, self.history = 0, []  # type: tuple[int, History]
        self.saved = 0  # the step of the checkpoint, 0 if there is none
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
            with partial.open("wb") as file:
                torch.save(
                    {
                        "model": self.model.state_dict(),
                        "optimizer": self.optimizer.state_dict(),
                        "precision": self.fabric._precision.state_dict(),
                        "random": torch.get_rng_state(),
                        "progress": [self.step, self.history, self.sums, self.count],
                    },
                    file,
                )
                file.flush()
                os.fsync(file.fileno())  # before the rename, or a power cut may leave an empty file
            os.replace(partial, self.path)
            self.saved = self.step
        finally:
            partial.unlink(missing_ok=True)

    def load(self, total: int) -> None:
        """All ranks load what rank 0 read: another run may replace the file in between."""
        content = self.fabric.broadcast(self._read() if self.fabric.is_global_zero else None)
        if content is None:
            return
        state = self._understood(content)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.fabric._precision.load_state_dict(state["precision"])
        torch.set_rng_state(state["random"])
        self.step, self.history, self.sums, self.count = state["progress"]
        self.saved = self.step
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
        """The state of a checkpoint. Raises anything if it is damaged, or not of this network."""
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if part := archive.testzip():  # torch does not compare the checksums
                raise ValueError(f"wrong checksum of {part}")
        state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        shapes = {name: value.shape for name, value in self.model.state_dict().items()}
        if {name: value.shape for name, value in state["model"].items()} != shapes:
            raise ValueError("it is of another network")
        if bad := networks.not_finite(state["model"]):
            raise ValueError(f"{bad} is not finite")
        if missing := {"optimizer", "precision", "random", "progress"} - state.keys():
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        return state


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
    processes = max(1, worker_count() // fabric.world_size) if gpu else 0  # a CPU's cores are the network's
    left = [batch[share] for batch in places[first:]]
    for batch in _loader(_Drawn(samples, params.seed), left, processes, gpu):
        yield tuple(fabric.to_device(_channels_last(tensor)) for tensor in batch)


def _loader(drawn: "_Drawn", batches: list[list[tuple[int, int]]], processes: int, pin: bool) -> DataLoader:
    """Its processes start as those of items.py do, and not by a fork: this one has threads."""
    return DataLoader(
        drawn,
        batch_sampler=batches,
        num_workers=processes,
        worker_init_fn=_start_loader,
        multiprocessing_context=context(__name__) if processes else None,
        pin_memory=pin,
        generator=torch.Generator(),  # or it draws from the global one, and a resume would differ
    )


def _start_loader(_: int) -> None:
    """In a process of the loader: a killed training leaves none behind."""
    end_with_stage()


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
