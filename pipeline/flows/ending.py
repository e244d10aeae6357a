"""How a flow run ends when somebody else wants it to: a cancel, or the death of its worker."""

import concurrent.futures
import contextvars
import os
import select
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import TerminationSignal
from prefect.states import Crashed

from pipeline.engine import supervisor

FLOWS = ["wsss", "wsss-stage", "wsss-sweep"]
# Of the flow that a flow run is a part of, in a thread of its own: signals reach the main thread only.
STOP: contextvars.ContextVar[threading.Event | None] = contextvars.ContextVar("stop", default=None)
LAST_WORDS = 15.0  # seconds to tell the server how it ended, once the stages have


def die_with_worker() -> None:
    """End with the worker that started this process, or its stages would go on unseen (Linux only).

    The worker is the parent, and may be gone before the call: then nobody listens at its port.
    """
    port = _started_with("PREFECT__CONTROL_PORT")
    if not port:  # started by a person
        return
    supervisor.prctl(supervisor.PR_SET_PDEATHSIG, signal.SIGTERM)
    try:
        socket.create_connection(("127.0.0.1", int(port)), 5).close()
    except OSError:
        os.kill(os.getpid(), signal.SIGTERM)


def _started_with(name: str) -> str:
    """A variable of the environment as the process got it; Prefect has removed this one since."""
    with suppress(OSError):
        for entry in Path("/proc/self/environ").read_bytes().split(b"\0"):
            key, _, value = entry.decode(errors="replace").partition("=")
            if key == name:
                return value
    return ""


def uninterrupted(work: Callable[[], State[Any]], stop: threading.Event) -> State[Any]:
    """Do `work` in a thread. SIGTERM sets `stop`, and is raised when the work has ended.

    Prefect makes the signal an exception in the main thread, wherever that is. Here it only waits, so
    that stages end in order: checkpoints saved, states told, the worktree removed.
    """
    context = contextvars.copy_context()
    asked: BaseException | None = None
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        future = pool.submit(context.run, work)
        while not future.done():
            try:
                concurrent.futures.wait([future], 0.5)
            except (TerminationSignal, KeyboardInterrupt) as signalled:
                asked = signalled
                stop.set()
                _leave_a_broken_pipe()
    if asked is not None:
        _leave_soon()
        raise asked
    return future.result()


def _leave_a_broken_pipe() -> None:
    """Nobody reads our output when the worker is dead, and the console would end this process for that."""
    watched = select.poll()
    watched.register(1, select.POLLERR)
    if watched.poll(0):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)


def _leave_soon() -> None:
    """The server may be gone as well, and Prefect would try to reach it for minutes."""
    timer = threading.Timer(LAST_WORDS, os._exit, (128 + signal.SIGTERM,))
    timer.daemon = True
    timer.start()


def close_dead_tasks() -> int:
    """End the task runs that killed flow runs have left running: Prefect leaves them so for ever.

    Returns how many. What ended just now is spared, its last events may still be on their way.
    """
    before = datetime.now(UTC) - timedelta(seconds=LAST_WORDS)
    crashed = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CRASHED]))
    running = TaskRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING])
    with get_client(sync_client=True) as client:
        left = client.read_task_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=FLOWS)),
            flow_run_filter=FlowRunFilter(state=crashed, end_time=FlowRunFilterEndTime(before_=before)),
            task_run_filter=TaskRunFilter(state=TaskRunFilterState(type=running)),
        )
        for task in left:
            client.set_task_run_state(task.id, Crashed(message="its flow run was killed"), force=True)
    return len(left)
