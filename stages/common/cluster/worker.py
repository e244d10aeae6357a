"""In a Dask worker: a process of its own computes, and ends with the job.

Not the worker itself: it lives on from stage to stage, with the modules and the networks that it loaded
first. A new process has the code and the networks of now, one thread, and can be killed when nobody wants
its result any more. Dask's own processes compute nothing and load no torch.
"""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from stages.common.cluster import child
from stages.common.fingerprint import ROOT

OWN = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()  # of the code that runs here, not of an edit
EVERY = 0.2  # seconds between two looks whether the result is still wanted
Answer = tuple[str, Any]  # of child.py


class LostError(RuntimeError):
    """The process that computed is gone without an answer: Dask tries it again, maybe elsewhere."""


def compute(job: str, project: str, own: str, tasks: list[Any]) -> Answer:
    """The answer of this thread's process to the tasks of a group. LostError where it died twice."""
    if own != OWN:
        return child.REFUSED, f"it runs other code of {Path(__file__).name} than the stage: start it anew"
    if not (Path(job) / child.JOB).is_file():
        return child.REFUSED, f"it does not see {job}: it needs the project's folder under the same path"
    return _process(job, project).ask(tasks, _wanted())


def _wanted() -> Callable[[], bool]:
    """Whether the scheduler still waits for what this thread computes: not once the stage is gone."""
    from distributed import Status, get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        alive = worker.status in (Status.running, Status.paused, Status.closing_gracefully)
        return alive and task is not None and task.state != "cancelled"

    return wanted


class Process:
    """The process of child.py for one job; it ends with this thread, and by itself once the job is over."""

    def __init__(self, job: str, project: str) -> None:
        self.job = job
        self._connection, theirs = Pipe()
        # The project's own code before the one that is installed: a run may have a worktree of its own.
        command = [sys.executable, "-m", child.__name__, str(theirs.fileno()), job]
        path = os.pathsep.join(filter(None, [project, str(ROOT), os.environ.get("PYTHONPATH", "")]))
        self._process = subprocess.Popen(
            command,
            cwd=project,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, tasks: list[Any], wanted: Callable[[], bool]) -> Answer:
        try:
            self._connection.send(tasks)
            while not self._connection.poll(EVERY):
                if not wanted():
                    raise LostError("nobody waits for it any more")
            answer: Answer = self._connection.recv()
            return answer
        except (EOFError, OSError):
            self.end()
            raise LostError(f"its process ended with status {self._process.returncode}") from None
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._connection.close()


class _Mine(threading.local):
    process: Process | None = None


_mine = _Mine()


def _process(job: str, project: str) -> Process:
    """This thread's; one of another job, or that has ended, gives place to a new one."""
    found = _mine.process
    if found is None or found.job != job or not found.alive():
        if found is not None:
            found.end()
        found = _mine.process = Process(job, project)
    return found
