"""The process that computes for a Dask worker: `python -m stages.common.cluster.child HANDLE JOB`.

JOB is the folder that the stage has written (shards.py). Each message is the tasks of a group, each answer
a word and its value: DONE and the files, FAILED and the error of a picture, REFUSED and why this process
may not compute at all.
"""

import dataclasses
import json
import pickle
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from stages.common import pool
from stages.common.cluster.code import code, difference
from stages.common.door import USER_ERRORS
from stages.common.pool import Compute, Files, Read

JOB, CODE = "job.pickle", "code.json"  # files of a job
DONE, FAILED, REFUSED = "done", "failed", "refused"
LOOK, IDLE = 0.5, 60.0  # seconds: between looks whether the job is over; without work, of a killed stage


@dataclass(frozen=True)
class Job:
    """What the stage asks for. `device` is the type that the results' keys name, "" where they name none."""

    compute: Compute
    read: Read | None
    singly: bool  # on a CPU one picture after the other, as the stage alone does
    device: str = ""


def main(handle: str, folder: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that asked
    place, connection = Path(folder), Connection(int(handle))
    work, refused = None, ""
    try:
        work = prepared(place)
    except USER_ERRORS as error:
        refused = str(error)
    except Exception as error:  # say, of an import
        refused = f"it cannot load the work, {type(error).__name__}: {error}"
    last = time.monotonic()
    while (place / JOB).is_file() and time.monotonic() - last < IDLE:
        if connection.poll(LOOK):
            try:
                tasks = connection.recv()
            except EOFError:  # the worker is gone
                return
            connection.send(answer(work, tasks) if work else (REFUSED, refused))
            last = time.monotonic()


def prepared(folder: Path) -> Job:
    """The job as this process does it: on its own device. ValueError where its results may differ."""
    if found := difference(json.loads((folder / CODE).read_text()), code()):
        raise ValueError(found)
    # Of the project's folder, as the code is: who can write there needs no pickle.
    job: Job = pickle.loads((folder / JOB).read_bytes())
    kind = ""
    if job.device or has_place(job.compute):
        from stages.common.device import device

        place, kind = str(device()), device().type
        job = dataclasses.replace(job, compute=placed(job.compute, place))
    if job.device and kind != job.device:
        raise ValueError(f"it computes on {kind}, and what the results are kept under says {job.device}")
    pool.single_thread()
    return dataclasses.replace(job, singly=job.singly and kind in ("", "cpu"))


def placed(value: Any, place: str) -> Any:
    """A dataclass whose field `place`, or that of one of its fields, is `place`; all else as it is."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    own = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    changed = {name: place if name == "place" else placed(of, place) for name, of in own.items()}
    return dataclasses.replace(value, **changed)


def has_place(value: Any) -> bool:
    """Whether `placed` changes anything."""
    if not dataclasses.is_dataclass(value):
        return False
    return any(
        field.name == "place" or has_place(getattr(value, field.name)) for field in dataclasses.fields(value)
    )


def answer(job: Job, tasks: list[Any]) -> tuple[str, Any]:
    try:
        ready = [job.read(task) for task in tasks] if job.read else tasks
        return DONE, _files(job, ready)
    except Exception as error:
        error.add_note(f"On a worker:\n{traceback.format_exc()}")
        try:
            pickle.loads(pickle.dumps(error))  # what the stage will do with it
        except Exception:  # an error that cannot travel
            return FAILED, RuntimeError(traceback.format_exc())
        return FAILED, error


def _files(job: Job, ready: list[Any]) -> list[Files]:
    groups = [[one] for one in ready] if job.singly else [ready]
    return [files for group in groups for files in job.compute(group)]


if __name__ == "__main__":
    from stages.common.cluster import child  # under its full name: what is unpickled names its classes so

    child.main(*sys.argv[1:])
