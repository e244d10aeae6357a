"""Map a function over pictures, keeping each result for the next run.

Results live in .scratch/items/<step>/<key>/, where the key is a hash of all that a result was
made from. A killed run goes on where it was, ten new pictures cost ten pictures, and an edit of
the code throws away what it must. Several working trees may share .scratch (a link), so a good run
removes only what none of them used for a while.
"""

import contextlib
import importlib
import os
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.common import pool
from stages.common.artifacts import output_folder
from stages.common.cluster import address
from stages.common.pool import Compute, Files, Read
from stages.common.progress import track

SCRATCH = Path(".scratch")
UNUSED_SECONDS = 7 * 86400.0  # what no working tree used for so long goes: longer than any stage takes
PARTIAL_SECONDS = 86400.0  # a *.partial is written in seconds: an older one is of a killed process
BATCH, BATCH_PIXELS = 16, 1 << 22  # pictures of a batch on a GPU, and pixels of all of them
SHARES = 64  # of the work, at least, where Dask workers take batches: none of them is to wait for one's last


@dataclass(frozen=True)
class Item:
    """One picture's work: its identifier, the key of its inputs, and what `compute` needs."""

    id: str
    key: str
    task: Any


Batches = Callable[[list[Item]], list[list[Item]]]


@dataclass(frozen=True)
class Results:
    """The files of each item, in the scratch folder of their step."""

    store: Path
    computed: int  # how many were not there before

    def read(self, item: Item, pattern: str) -> bytes:
        """A file of an item, by its name in what `compute` returned. FileNotFoundError if it has none."""
        return (self.store / item.key / pattern.replace("*", "item")).read_bytes()

    def has(self, item: Item, pattern: str) -> bool:
        return (self.store / item.key / pattern.replace("*", "item")).is_file()

    def publish(self, item: Item, folder: Path) -> None:
        """Copy the files of an item into `folder`, under its id."""
        place = self.store / item.key
        for file in place.rglob("item.*"):
            target = folder / file.relative_to(place).with_name(item.id + file.suffix)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def map_items(
    step: str,
    out: Path,
    items: Sequence[Item],
    compute: Compute,
    *,
    read: Read | None = None,
    batches: Batches | None = None,
    processes: int | None = None,
    also: Files | None = None,
    device: str = "",
    alone: bool = False,
) -> str:
    """Fill the folder `out` with the files of all items; returns the line to print.

    `also` holds further files of the folder, by their names in it; the others are of `compute_items`.
    """
    start = time.monotonic()
    results = compute_items(
        step, items, compute, read=read, batches=batches, processes=processes, device=device, alone=alone
    )
    with output_folder(out) as folder:
        for item in items:
            results.publish(item, folder)
        for name, content in (also or {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    took, reused = time.monotonic() - start, len(items) - results.computed
    return f"{step}: {len(items)} pictures, {reused} reused, {results.computed} computed in {took:.0f} s"


def compute_items(
    step: str,
    items: Sequence[Item],
    compute: Compute,
    *,
    read: Read | None = None,
    batches: Batches | None = None,
    processes: int | None = None,
    device: str = "",
    alone: bool = False,
) -> Results:
    """Compute what the scratch folder of `step` does not hold yet.

    `compute` gets the tasks of a group, or what `read` makes of them. `batches` groups what is left to do
    (default: one by one). `processes`: None for as many as WSSS_WORKERS says, 0 for none: a GPU's work.
    Where WSSS_DASK names a scheduler, its workers compute, if not `alone`; those of another type of device
    than `device`, where the items' keys name one, are refused.
    """
    asked = "" if alone else address.asked()
    store = SCRATCH / "items" / step
    todo = [item for item in items if not touch(store / item.key)]
    todo = list({item.key: item for item in todo}.values())
    groups = batches(todo) if batches else [[item] for item in todo]
    if asked and batches is by_size:
        groups = [part for group in groups for part in groups_of(max(1, len(todo) // SHARES))(group)]
    tasks = [[item.task for item in group] for group in groups]
    work = (tasks, compute, read)
    if asked and todo:
        done = _on_dask(asked, *work, batches is by_size, device)
    else:
        done = _on_this_machine(*work, processes)
    known = len({item.key for item in items}) - len(todo)  # also of a run that was stopped
    with contextlib.closing(done):  # what is not done yet ends with an error here
        told = track(done, known + len(todo), step, first=known, size=lambda pair: len(pair[1]))
        for index, results in told:
            for item, files in zip(groups[index], results, strict=True):
                _put(store / item.key, files)
    remove_unused(store, {item.key for item in items})
    return Results(store, len(todo))


def _on_this_machine(
    tasks: list[list[Any]], compute: Compute, read: Read | None, processes: int | None
) -> Generator[pool.Done, None, None]:
    if processes == 0 and isinstance(compute, pool.Halves) and compute.apart:
        return pool.in_halves(tasks, compute, read, pool.worker_count())
    workers = 0 if processes == 0 else min(processes or pool.worker_count(), len(tasks))
    if processes != 0:  # as in a worker: a pool of one would only cost its start
        pool.single_thread()
    return (
        pool.in_processes(tasks, compute, read, workers) if workers > 1 else pool.here(tasks, compute, read)
    )


def _on_dask(
    asked: str, tasks: list[list[Any]], compute: Compute, read: Read | None, sized: bool, device: str
) -> Generator[pool.Done, None, None]:
    """By its name: how work travels changes no result, so no stage runs again for an edit there."""
    cluster = importlib.import_module("stages.common.cluster.shards")
    done: Generator[pool.Done, None, None] = cluster.on_workers(
        asked, tasks, cluster.child.Job(compute, read, sized, device)
    )
    return done


def on(device: str) -> dict[str, Any]:
    """How `map_items` works on a device of that type: in processes on a "cpu", else in batches.

    A Dask worker has a device of its own: it gets batches, and takes their pictures one by one on a "cpu".
    """
    if device == "cpu" and not address.asked():
        return {}
    return {"batches": by_size, "processes": 0}


def groups_of(most: int) -> Batches:
    """Work of milliseconds goes to a process in groups, and a few pictures to none."""
    return lambda work: [work[at : at + most] for at in range(0, len(work), most)]


def by_size(work: list[Item]) -> list[list[Item]]:
    """Batches for a GPU: pictures of one size (the items' tasks), as many as it has surely memory for."""
    sizes: dict[tuple[int, int], list[Item]] = {}
    for item in work:
        sizes.setdefault((item.task.height, item.task.width), []).append(item)
    batches = []
    for (height, width), group in sizes.items():
        most = max(1, min(BATCH, BATCH_PIXELS // (height * width)))
        batches += [group[at : at + most] for at in range(0, len(group), most)]
    return batches


def _put(place: Path, files: Files) -> None:
    partial = place.with_name(f".{uuid.uuid4().hex}.partial")
    for pattern, content in files.items():
        file = partial / pattern.replace("*", "item")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    try:
        os.replace(partial, place)
    except OSError:  # another process stored the same key first: equal by construction
        shutil.rmtree(partial, ignore_errors=True)
        if not place.is_dir():
            raise


def touch(place: Path) -> bool:
    """Mark a stored folder as used now; False where there is none."""
    try:
        os.utime(place)
    except FileNotFoundError:
        return False
    return True


def remove_unused(store: Path, used: Collection[str] = ()) -> None:
    """Remove from a folder of stored work what is old: touched by nobody for long, or never finished.

    `used` are the names that stay in any case.
    """
    now = time.time()
    for place in store.iterdir() if store.is_dir() else ():
        most = PARTIAL_SECONDS if place.name.endswith(".partial") else UNUSED_SECONDS
        with contextlib.suppress(OSError):  # say, another process removed it: no reason to fail
            if place.name not in used and now - place.stat().st_mtime > most:
                _remove(place)


def _remove(place: Path) -> None:
    """Renamed first: a kill in the middle leaves no folder that looks whole."""
    partial = place.with_name(f".{uuid.uuid4().hex}.partial")
    os.rename(place, partial)
    shutil.rmtree(partial, ignore_errors=True)
