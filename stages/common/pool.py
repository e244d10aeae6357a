"""Work on groups of pictures: in processes, or in this one, where a GPU is."""

import contextlib
import errno
import functools
import itertools
import multiprocessing
import os
import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from typing import Any

from stages.common.processes import die_with_parent

FORK_SERVER = "stages.common.fork_server"

Files = dict[str, bytes]  # "crf/*.png" -> content; the star stands for the picture's id
Compute = Callable[[list[Any]], list[Files]]
"""Takes the tasks of a group, returns the files of each. Must be picklable: it goes to workers."""
Read = Callable[[Any], Any]
"""Makes of a task what `compute` gets in its place, say its pixels. Must be picklable too."""
Done = tuple[int, list[Files]]  # the group's index, and its results
Map = Callable[[list[Any]], Iterator[Any]]
"""Takes a list, gives what a function makes of each, in the same order; processes begin at once."""


class Halves(ABC):
    """A `Compute` in two halves: of the network, where that is, and of a processor.

    Where a GPU computes and `apart` is true, processes do the second half beside it. Both must be picklable.
    """

    @property
    @abstractmethod
    def apart(self) -> bool:
        """Whether the second half is work enough for processes."""

    @abstractmethod
    def begin(self, tasks: list[Any]) -> list[Any]:
        """What `finish` takes, of each task of a group."""

    @abstractmethod
    def finish(self, one: Any) -> Files: ...

    def __call__(self, tasks: list[Any]) -> list[Files]:
        return [self.finish(one) for one in self.begin(tasks)]


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


def here(groups: Sequence[list[Any]], compute: Compute, read: Read | None) -> Generator[Done, None, None]:
    """In this process. The tasks of a group are read in threads while the group before it is computed."""
    if read is None:
        yield from ((index, compute(group)) for index, group in enumerate(groups))
        return
    with ThreadPoolExecutor() as threads:
        ahead = ([threads.submit(read, task) for task in group] for group in groups)
        reading = next(ahead, [])
        for index in range(len(groups)):
            ready, reading = [future.result() for future in reading], next(ahead, [])
            yield index, compute(ready)


def in_halves(
    groups: Sequence[list[Any]], compute: Halves, read: Read | None, processes: int
) -> Generator[Done, None, None]:
    """The first half of each group as `here`; processes finish it while the next groups begin."""
    workers = _executor(processes, type(compute).__module__, _start_mapping)
    waiting: deque[tuple[int, list[Future[Files]]]] = deque()
    try:
        for index, begun in here(groups, compute.begin, read):
            waiting.append((index, [workers.submit(compute.finish, one) for one in begun]))
            while sum(len(futures) for _, futures in waiting) > 2 * processes:  # so that memory stays flat
                yield _results(*waiting.popleft())
        while waiting:
            yield _results(*waiting.popleft())
    finally:
        workers.shutdown(cancel_futures=True)


def _results(index: int, futures: list[Future[Files]]) -> Done:
    return index, [future.result() for future in futures]


def in_processes(
    groups: Sequence[list[Any]], compute: Compute, read: Read | None, processes: int
) -> Generator[Done, None, None]:
    """Results as they finish. The workers start at once, before a progress bar has its thread."""
    if not groups:
        return here(groups, compute, read)
    module, workers = type(compute).__module__, min(processes, len(groups))
    pool = _executor(workers, module, functools.partial(_start_worker, compute, read))
    waiting = iter(enumerate(groups))
    running: dict[Future[list[Files]], int] = {}
    _submit(pool, waiting, running, 2 * processes)
    return _finished(pool, waiting, running, 2 * processes)


def _executor(processes: int, module: str, start: Callable[[], None]) -> ProcessPoolExecutor:
    try:
        return ProcessPoolExecutor(processes, mp_context=context(module), initializer=start)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise ValueError(
            "/dev/shm is full or too small for processes to work together: free it, or in a container "
            "`docker run --shm-size 8g`"
        ) from None


def _submit(
    pool: ProcessPoolExecutor,
    waiting: Iterator[tuple[int, list[Any]]],
    running: dict[Future[list[Files]], int],
    most: int,
) -> None:
    """Fill `running` up to `most` groups, so that memory stays flat."""
    for index, group in itertools.islice(waiting, most - len(running)):
        running[pool.submit(_run, group)] = index


def _finished(
    pool: ProcessPoolExecutor,
    waiting: Iterator[tuple[int, list[Any]]],
    running: dict[Future[list[Files]], int],
    most: int,
) -> Generator[Done, None, None]:
    try:
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
            _submit(pool, waiting, running, most)
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def mapped(function: Callable[[Any], Any], processes: int) -> Iterator[Map]:
    """A map of a picklable function over processes that stay: for the work between the steps of a training.

    Fewer than two are none: then it is this process that computes. In the end the processes are gone.
    """
    if processes < 2:
        yield functools.partial(map, function)
        return
    module = getattr(function, "func", function).__module__  # of a partial, that of its function
    workers = _executor(processes, module, _start_mapping)
    workers.submit(int)  # the first starts at once, before a progress bar has its thread
    try:
        yield functools.partial(workers.map, function)
    finally:
        workers.shutdown(cancel_futures=True)


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


_work: tuple[Compute, Read | None]


def _start_worker(compute: Compute, read: Read | None) -> None:
    """One thread each: the pool is the parallelism, and a second thread changes float sums."""
    global _work
    _work = compute, read
    _start_mapping()


def _start_mapping() -> None:
    end_with_stage()
    single_thread()


def end_with_stage() -> None:
    """In a worker, however it was started: it ends with the process that asked for it.

    Its fork server may be dead before the call while the stage, killed with it, still closes its files.
    """
    die_with_parent(getattr(sys.modules.get(FORK_SERVER), "PID", 0))
    stage = multiprocessing.parent_process()
    if stage is not None and not stage.is_alive():  # it died before the call
        os._exit(1)


def _run(tasks: list[Any]) -> list[Files]:
    compute, read = _work
    return compute([read(task) for task in tasks] if read else tasks)


def single_thread() -> None:
    """Limit the libraries that are loaded to one thread in this process."""
    for name, variable in (("cv2", "setNumThreads"), ("torch", "set_num_threads")):
        if name in sys.modules:
            getattr(sys.modules[name], variable)(1)
