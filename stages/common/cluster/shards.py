"""Groups of pictures on the workers of a Dask scheduler, in place of pool.py's processes.

A worker that is lost has its group computed by another. Results come back by the wire: the stage alone
writes them into its store, whole or not at all, as it does without workers.
"""

import contextlib
import itertools
import json
import logging
import pickle
import queue
import shutil
import sys
import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.common.cluster import address, child, code, worker
from stages.common.items import SCRATCH, remove_unused
from stages.common.pool import Done, Files

if TYPE_CHECKING:
    from distributed import Client, Future

JOBS = SCRATCH / "dask"
PATIENCE = 60.0  # seconds without any worker
LOOK = 2.0  # seconds between two looks at the workers
FETCH = 120.0  # seconds for one group's results to travel
RETRIES = 2  # of a group whose process died; a lost worker's is Dask's own affair
AHEAD = 2  # groups per thread of the workers that are under way, so that memory stays flat


def on_workers(asked: str, groups: Sequence[list[Any]], job: child.Job) -> Generator[Done, None, None]:
    """Results as they finish. Whoever closes this, or dies, takes back what is not done yet.

    ValueError where the scheduler `asked` or its workers cannot do it, in one line.
    """
    with contextlib.ExitStack() as stack:  # at once, before a progress bar begins
        folder = stack.enter_context(written(job))
        run = _Run(asked, stack.enter_context(connected(asked)), folder)
        run.await_workers()
        return _closing(stack.pop_all(), run.results(groups))


def _closing(stack: contextlib.ExitStack, results: Iterator[Done]) -> Generator[Done, None, None]:
    with stack:
        yield from results


@contextlib.contextmanager
def written(job: child.Job) -> Iterator[Path]:
    """A folder with the job, where all workers see it; without it their processes end."""
    remove_unused(JOBS)
    folder = JOBS.absolute() / uuid.uuid4().hex
    folder.mkdir(parents=True)
    try:
        (folder / child.CODE).write_text(json.dumps(code.code()))
        (folder / child.JOB).write_bytes(pickle.dumps(job))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def connected(asked: str) -> Iterator["Client"]:
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ValueError(
            f"{address.VARIABLE}={asked} needs Dask ({error}): "
            'pip install -c constraints.txt -e ".[dask]", or unset it'
        ) from None
    for name in ("distributed", "distributed.client"):  # what it would say is said here, in one line
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if number := address.local(asked):
        local = LocalCluster(
            n_workers=number, threads_per_worker=1, processes=False, memory_limit=0,
            dashboard_address=":0", silence_logs=logging.CRITICAL,
        )  # fmt: skip  # threads: each has a process that computes
        with local, Client(local, set_as_default=False) as client:
            yield client
        return
    try:
        address.reach(asked)
        client = Client(asked, timeout=address.REACH, set_as_default=False)
    except (OSError, OverflowError, ValueError) as error:  # a host or a port that cannot be
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{address.VARIABLE}={asked}: no Dask scheduler answers there ({reason}): "
            "start one (docs/cluster.md) or unset it"
        ) from None
    try:
        yield client
    finally:
        client.close(timeout=LOOK)


class _Run:
    """One job on one scheduler."""

    def __init__(self, asked: str, client: "Client", folder: Path) -> None:
        self._asked, self._client, self._folder = asked, client, folder
        self._running: dict[str, tuple[int, Future]] = {}
        self._done: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._threads, self._looked, self._since = 0, 0.0, time.monotonic()

    def results(self, groups: Sequence[list[Any]]) -> Iterator[Done]:
        waiting = iter(enumerate(groups))
        try:
            self._submit(waiting)
            while self._running:
                index, future = self._running.pop(self._next())
                yield index, self._files(future)
                self._submit(waiting)
        finally:
            with contextlib.suppress(Exception):  # of a scheduler that is gone: it holds no work either
                self._client.cancel([future for _, future in self._running.values()])

    def await_workers(self) -> None:
        self._look()
        if not self._threads:
            print(
                f"waiting up to {PATIENCE:.0f} s for a worker of {self._asked}", file=sys.stderr, flush=True
            )
        while not self._threads:
            time.sleep(0.2)
            self._look()

    def _submit(self, waiting: Iterator[tuple[int, list[Any]]]) -> None:
        if time.monotonic() - self._looked > LOOK:
            self._look()
        free = max(1, AHEAD * self._threads) - len(self._running)  # below 0 where workers are lost
        for index, tasks in itertools.islice(waiting, max(0, free)):
            key = f"{self._folder.name}-{index}"
            future = self._client.submit(
                worker.compute, str(self._folder), str(Path.cwd()), worker.OWN, tasks,
                key=key, pure=False, retries=RETRIES,
            )  # fmt: skip
            self._running[key] = index, future
            future.add_done_callback(lambda done: self._done.put(done.key))

    def _next(self) -> str:
        """The key of a group that ended, however."""
        while True:
            with contextlib.suppress(queue.Empty):
                return self._done.get(timeout=LOOK)
            self._look()

    def _look(self) -> None:
        """Count the workers' threads. ValueError where the scheduler is gone, or has had none for long."""
        try:
            self._threads = sum(self._client.nthreads().values())
        except Exception:
            raise self._gone() from None
        self._looked = time.monotonic()
        if self._threads:
            self._since = self._looked
        elif self._looked - self._since > PATIENCE:
            raise ValueError(
                f"{address.VARIABLE}={self._asked}: no worker for {PATIENCE:.0f} s: "
                f"start some (`dask worker {self._asked} --nthreads 1`), then run again; what is done is kept"
            )

    def _gone(self) -> ValueError:
        return ValueError(
            f"{address.VARIABLE}={self._asked}: the Dask scheduler is gone or took back its work: "
            "start it again, then run again; what is done is kept"
        )

    def _files(self, future: "Future") -> list[Files]:
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        if future.status == "cancelled":
            raise self._gone()
        try:
            word, value = future.result(timeout=FETCH)
        except (worker.LostError, KilledWorker) as error:
            raise ValueError(
                f"a picture's work ended its worker again and again ({_first(error)}): "
                "mostly the kernel, out of memory"
            ) from None
        except (FutureCancelledError, OSError):  # a TimeoutError among them
            raise self._gone() from None
        except Exception as error:  # none of the work's own, which child.py hands back as a value
            raise ValueError(
                f"a worker of {self._asked} cannot run this project ({_first(error)}): "
                "start it in the project's environment (docs/cluster.md)"
            ) from None
        if word == child.REFUSED:
            raise ValueError(f"a worker of {self._asked} is of no use: {value}")
        if word == child.FAILED:
            raise value
        files: list[Files] = value
        return files


def _first(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
