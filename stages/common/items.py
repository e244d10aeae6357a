"""Map a function over pictures: in processes or in batches, keeping each result for the next run.

Results live in .scratch/items/<step>/<key>/, where the key is a hash of all that a result was
made from. A killed run goes on where it was, ten new pictures cost ten pictures, and an edit of
the code throws away what it must. Several working trees may share .scratch (a link), so a good run
removes only what none of them used for a while.
"""

import contextlib
import errno
import itertools
import multiprocessing
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.common.artifacts import output_folder
from stages.common.processes import die_with_parent
from stages.common.progress import track

SCRATCH = Path(".scratch")
UNUSED_SECONDS = 7 * 86400.0  # what no working tree used for so long goes: longer than any stage takes
PARTIAL_SECONDS = 86400.0  # a *.partial is written in seconds: an older one is of a killed process

FORK_SERVER = "stages.common.fork_server"

Files = dict[str, bytes]  # "crf/*.png" -> content; the star stands for the picture's id


@dataclass(frozen=True)
class Item:
    """One picture's work: its identifier, the key of its inputs, and what `compute` needs."""

    id: str
    key: str
    task: Any


Running = dict["Future[list[Files]]", list[Item]]
Compute = Callable[[list[Any]], list[Files]]
"""Takes the tasks of a batch, returns the files of each. Must be picklable: it goes to workers."""


def worker_count() -> int:
    """Processes to use: WSSS_WORKERS, or the number of processors this process may run on.

    macOS does not say which those are: there, all of the machine. ValueError for what is no number of them.
    """
    asked = os.environ.get("WSSS_WORKERS", "")
    if asked and not (asked.isdigit() and int(asked)):
        raise ValueError(f"WSSS_WORKERS={asked}: give a number of processes, 1 or more")
    if asked:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_items(
    step: str,
    out: Path,
    items: Sequence[Item],
    compute: Compute,
    *,
    batches: Callable[[list[Item]], list[list[Item]]] | None = None,
    processes: int | None = None,
    also: Files | None = None,
) -> str:
    """Fill the folder `out` with the files of all items; returns the line to print.

    `batches` groups what is left to do (default: one by one). `processes=0` computes here, as a
    GPU wants it. `also` holds further files of the folder, by their plain names.
    """
    start, store = time.monotonic(), SCRATCH / "items" / step
    todo = [item for item in items if not touch(store / item.key)]
    todo = list({item.key: item for item in todo}.values())
    groups = batches(todo) if batches else [[item] for item in todo]
    processes = worker_count() if processes is None else processes
    done = _in_processes(groups, compute, processes) if processes else _here(groups, compute)
    known = len({item.key for item in items}) - len(todo)  # also of a run that was stopped
    for group, results in track(done, known + len(todo), step, first=known, size=lambda pair: len(pair[0])):
        for item, files in zip(group, results, strict=True):
            _put(store / item.key, files)
    with output_folder(out) as folder:
        for item in items:
            _publish(store / item.key, item.id, folder)
        for name, content in (also or {}).items():
            (folder / name).write_bytes(content)
    remove_unused(store, {item.key for item in items})
    took = time.monotonic() - start
    reused = len(items) - len(todo)
    return f"{step}: {len(items)} pictures, {reused} reused, {len(todo)} computed in {took:.0f} s"


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


def _publish(place: Path, identifier: str, folder: Path) -> None:
    for file in place.rglob("item.*"):
        target = folder / file.relative_to(place).with_name(identifier + file.suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


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


def _here(groups: Iterable[list[Item]], compute: Compute) -> Iterator[tuple[list[Item], list[Files]]]:
    for group in groups:
        yield group, compute([item.task for item in group])


def _in_processes(
    groups: list[list[Item]], compute: Compute, processes: int
) -> Iterator[tuple[list[Item], list[Files]]]:
    """Results as they finish. The workers start at once, before a progress bar has its thread."""
    if not groups:
        return iter(())
    try:
        pool = ProcessPoolExecutor(
            min(processes, len(groups)),
            mp_context=context(type(compute).__module__),
            initializer=_start_worker,
            initargs=(compute,),
        )
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise ValueError(
            "/dev/shm is full or too small for processes to work together: free it, or in a container "
            "`docker run --shm-size 8g`"
        ) from None
    waiting: Iterator[list[Item]] = iter(groups)
    running: Running = {}
    _submit(pool, waiting, running, 2 * processes)
    return _finished(pool, waiting, running, 2 * processes)


def _submit(pool: ProcessPoolExecutor, waiting: Iterator[list[Item]], running: Running, most: int) -> None:
    """Fill `running` up to `most` batches, so that memory stays flat."""
    for group in itertools.islice(waiting, most - len(running)):
        running[pool.submit(_run, [item.task for item in group])] = group


def _finished(
    pool: ProcessPoolExecutor, waiting: Iterator[list[Item]], running: Running, most: int
) -> Iterator[tuple[list[Item], list[Files]]]:
    try:
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
            _submit(pool, waiting, running, most)
    finally:
        pool.shutdown(cancel_futures=True)


def context(module: str) -> multiprocessing.context.BaseContext:
    """How workers start: WSSS_START_METHOD, or from a fork server that has imported `module`, if it can be.

    Not by a fork of this process: it has threads (the progress bar, OpenMP, a test runner), and a
    child that is forked while one of them holds a lock waits for it for ever.
    """
    known = multiprocessing.get_all_start_methods()
    method = os.environ.get("WSSS_START_METHOD") or ("forkserver" if "forkserver" in known else "spawn")
    if method not in known:
        raise ValueError(f"WSSS_START_METHOD={method}: this system has {', '.join(known)}")
    found = multiprocessing.get_context(method)
    if method == "forkserver":  # it imports the step once, for all workers
        found.set_forkserver_preload([FORK_SERVER, module])
    return found


_compute: Compute


def _start_worker(compute: Compute) -> None:
    """One thread each: the pool is the parallelism, and a second thread changes float sums."""
    global _compute
    _compute = compute
    end_with_stage()
    single_thread()


def end_with_stage() -> None:
    """In a worker, however it was started: it ends with the process that asked for it."""
    die_with_parent()
    stage = multiprocessing.parent_process()
    if stage is not None and not stage.is_alive():  # it died before the call
        os._exit(1)


def _run(tasks: list[Any]) -> list[Files]:
    return _compute(tasks)


def single_thread() -> None:
    """Limit the libraries that are loaded to one thread in this process."""
    for name, variable in (("cv2", "setNumThreads"), ("torch", "set_num_threads")):
        if name in sys.modules:
            getattr(sys.modules[name], variable)(1)
