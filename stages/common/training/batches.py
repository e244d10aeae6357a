"""The batches of a training, in an order that depends on the seed alone."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from stages.common.pool import context, end_with_stage, single_thread, worker_count
from stages.common.training.params import Training
from stages.common.training.strategy import Batch

Place = tuple[int, int]  # epoch, index: a sample depends on them and on the seed


class Samples(Protocol):
    """The training pictures: `sample(index, rng)` returns the tensors of one random view."""

    def __len__(self) -> int: ...
    def sample(self, index: int, rng: np.random.Generator) -> Batch: ...


def steps_per_epoch(samples: Samples, params: Training) -> int:
    return max(1, len(samples) // params.batch)


def batches(samples: Samples, params: Training, first: int, fabric: Any) -> Generator[Batch, None, None]:
    """The batches from step `first` on, on the device; of several ranks, each has its share of them."""
    rank, count = fabric.global_rank, fabric.world_size
    order = Order(len(samples), params.batch, params.epochs, params.seed, first, rank, count)
    gpu = fabric.device.type == "cuda"
    processes = max(1, worker_count() // count) if gpu else 0  # a CPU's cores are the network's
    for batch in loader(Drawn(samples, params.seed), order, processes, gpu):
        yield tuple(fabric.to_device(_channels_last(tensor)) for tensor in batch)


@dataclass(frozen=True)
class Order:
    """Which samples each step takes. Each epoch is a permutation; what fills no batch waits.

    Epochs are drawn one by one: all at once, those of a large set would fill the memory.
    """

    count: int  # of the samples
    batch: int
    epochs: int
    seed: int
    first: int = 0  # step
    rank: int = 0  # which takes one of `ranks` shares of each batch
    ranks: int = 1

    def __iter__(self) -> Iterator[list[Place]]:
        per_epoch = max(1, self.count // self.batch)
        for epoch in range(self.first // per_epoch, self.epochs):
            order = permutation(self.seed, epoch, self.count)
            for step in range(per_epoch):
                if epoch * per_epoch + step >= self.first:
                    taken = order[step * self.batch : (step + 1) * self.batch]
                    yield [(epoch, index) for index in taken[self.rank :: self.ranks]]


def permutation(seed: int, epoch: int, count: int) -> list[int]:
    order: list[int] = np.random.default_rng((seed, epoch)).permutation(count).tolist()
    return order


class Drawn(Dataset):
    """Samples drawn by (epoch, index): the order of the loader's workers and a resume change nothing."""

    def __init__(self, samples: Samples, seed: int) -> None:
        self.samples, self.seed = samples, seed

    def __getitem__(self, place: Place) -> Batch:
        epoch, index = place
        return self.samples.sample(index, np.random.default_rng((self.seed, epoch, index)))


def loader(drawn: Drawn, order: Any, processes: int, pin: bool) -> DataLoader:
    """Its processes start as those of pool.py do, and not by a fork: this one has threads."""
    return DataLoader(
        drawn,
        batch_sampler=order,
        num_workers=processes,
        worker_init_fn=_start_worker,
        multiprocessing_context=context(type(drawn.samples).__module__) if processes else None,
        pin_memory=pin,
        generator=torch.Generator(),  # or it draws from the global one, and a resume would differ
    )


def _start_worker(_: int) -> None:
    """In a process of the loader: a killed training leaves none behind, and OpenCV takes one core."""
    end_with_stage()
    single_thread()


def _channels_last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
