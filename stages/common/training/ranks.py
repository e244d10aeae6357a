"""Where a training computes, and how several processes ("ranks") train one set of weights.

With WSSS_DEVICES=N, N ranks train on a share of each batch and average the gradients. Rank 0 is the
stage; it starts the others by running its own command again, and they leave in `fit`. On several hosts
torchrun starts them all, and Fabric reads from the environment who they are.
"""

import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import nn

from stages.common import door
from stages.common.device import device, device_count
from stages.common.networks.store import History
from stages.common.processes import die_with_parent
from stages.common.training.params import Training, under_torchrun

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
RANK_ZERO = "WSSS_RANK_ZERO"  # in the environment of the other ranks: the process that started them
# Of a launcher around us, if there is one: our ranks have their own.
LAUNCH = ("LOCAL_RANK", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
_launches: list[int] = []  # of this process: there can be one


def make_fabric(params: Training, samples: int, static: bool, alone: bool = False) -> Any:
    """Where and in what precision to train; with several devices, the other ranks are started here.

    `alone`: on one device, however many there are. `static`: each backward pass reaches the same weights,
    which saves a search for them (see `_launched`).
    """
    from lightning.fabric import Fabric
    from lightning.fabric.plugins.environments import LightningEnvironment

    place, count = device(), 1 if alone else device_count()
    if params.precision == "fp16" and place.type == "cpu":
        raise ValueError("precision fp16 needs a GPU: use bf16 or fp32 on a CPU")
    precision: Any = PRECISIONS[params.precision]
    if count > 1:
        return _launched(count, min(params.batch, samples), place.type, precision, static)
    devices: Any = [place.index or 0] if place.type == "cuda" else 1
    return Fabric(
        accelerator=place.type, devices=devices, precision=precision, plugins=[LightningEnvironment()]
    )


def _launched(count: int, batch: int, accelerator: str, precision: Any, static: bool) -> Any:
    """AffinityNet may leave levels of its encoder unused, so DDP must know which weights get no gradient.

    With one turn these are the same in each step (a static graph). Two losses of one network may use
    different layers: then DDP looks for the unused ones in each step. The statistics of batch norm are
    not DDP's to copy (`share_statistics`): it does so before each call, and a loss that calls its
    network twice, as Puzzle's does, could not go back through the first.
    """
    from lightning.fabric import Fabric
    from lightning.fabric.plugins.environments import LightningEnvironment, TorchElasticEnvironment
    from lightning.fabric.strategies import DDPStrategy

    if batch % count:
        asked = f"torchrun's {count} processes" if under_torchrun() else f"WSSS_DEVICES={count}"
        raise ValueError(f"{asked} must divide the batch, which is {batch}: each takes an equal share")
    if not under_torchrun():
        _know_rank_zero()
    fabric = Fabric(
        accelerator=accelerator,
        devices=int(os.environ["LOCAL_WORLD_SIZE"]) if under_torchrun() else count,
        num_nodes=int(os.environ["GROUP_WORLD_SIZE"]) if under_torchrun() else 1,
        precision=precision,
        strategy=DDPStrategy(
            static_graph=static, find_unused_parameters=not static, forward_sync_buffers=False
        ),
        plugins=[TorchElasticEnvironment() if under_torchrun() else LightningEnvironment()],
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


def over_ranks(fabric: Any, numbers: list[float]) -> list[float]:
    """The mean of each number over the ranks, the same in all of them; alone, the numbers as they are."""
    if fabric.world_size == 1:
        return numbers
    tensor = torch.tensor(numbers, dtype=torch.float64, device=fabric.device)
    torch.distributed.all_reduce(tensor)
    means: list[float] = (tensor / fabric.world_size).tolist()
    return means


def share_statistics(fabric: Any, network: nn.Module) -> None:
    """After an update, all ranks take rank 0's buffers: its statistics of batch norm.

    Then the network is the same in all of them, also where it computes in another's turn.
    """
    if fabric.world_size == 1:
        return
    kinds: dict[torch.dtype, list[torch.Tensor]] = {}
    for buffer in network.buffers():
        kinds.setdefault(buffer.dtype, []).append(buffer)
    for buffers in kinds.values():
        joined = torch.cat([buffer.flatten() for buffer in buffers])
        torch.distributed.broadcast(joined, 0)
        for buffer, part in zip(buffers, joined.split([b.numel() for b in buffers]), strict=True):
            buffer.copy_(part.view_as(buffer))


def as_rank(fabric: Any, train: Callable[[], History]) -> History:
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
        leave(door.USER_ERROR)
    except BaseException:
        traceback.print_exc()
        leave(1)
    fabric.barrier()
    gc.collect()  # the network's wrapper goes before the group: the last to end the group is what waits
    torch.distributed.destroy_process_group()
    if status or not fabric.is_global_zero:
        leave(status)
    return history


def leave(status: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
