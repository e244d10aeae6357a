"""One stage as a child process under supervisor.py: started, followed and, where it must, ended."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from pipeline.engine import leftovers, supervisor
from pipeline.engine.output import KILLED, Reader, judge
from pipeline.memory import attribution
from pipeline.memory.graph import Stage
from pipeline.project import children, gpus, locks, places
from pipeline.project.outcomes import Listener, Result


@dataclass(frozen=True)
class Child:
    """What a child of a run needs to know of it."""

    root: Path
    grace: float  # seconds to end in order
    listener: Listener
    cancelled: threading.Event
    hurried: threading.Event  # a second cancel

    def run(
        self,
        stage: Stage,
        force: bool,
        device: str,
        names: list[str],
        held: list[locks.Lock],
        watched: attribution.Watched,
    ) -> tuple[Result, bool]:
        """What came out of the stage on the GPUs `names`, and whether a retry makes sense."""
        log = places.log(self.root, stage.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-I", "-S", supervisor.__file__]
        command += [str(os.getpid()), str(self.grace), str(log)]
        command += [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", stage.name]
        command += ["--force"] if force else []
        marks = leftovers.marks(self.root, uuid.uuid4().hex)
        process = subprocess.Popen(
            command,
            cwd=self.root,
            env=environment(names) | marks,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=[lock.handle for lock in held],
        )
        reader = Reader(stage.name, self.listener)
        try:
            timed_out = self._follow(process, reader, watched, stage.meta.timeout)
        except BaseException:  # of the listener: nobody would look after the stage
            self._end(process)
            raise
        if reader.code == KILLED:  # the supervisor: what it looked after may still be there
            leftovers.end(leftovers.CHILD, marks[leftovers.CHILD], self.grace)
        return judge(stage, reader, device, timed_out, self.cancelled.is_set())

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        process.stdout.close()  # or it would wait for a reader
        process.terminate()
        process.wait()

    def _follow(
        self,
        process: subprocess.Popen[bytes],
        reader: Reader,
        watched: attribution.Watched,
        timeout: float | None,
    ) -> bool:
        """Read its lines to the end; end it on a cancel or at its deadline. Whether the deadline came.

        A second cancel gives it no time to save its work.
        """
        assert process.stdout is not None
        handle = process.stdout.fileno()
        deadline = time.monotonic() + (timeout or float("inf"))
        asked = timed_out = killed = False
        while True:
            if not asked and (self.cancelled.is_set() or time.monotonic() > deadline):
                asked, timed_out = True, not self.cancelled.is_set()
                process.terminate()
            watched.look()
            if asked and not killed and self.hurried.is_set():
                killed = True
                process.send_signal(signal.SIGQUIT)
            if not select.select([handle], [], [], 0.2)[0]:
                continue
            content = os.read(handle, 65536)
            if not content:
                break
            reader.feed(content)
        process.stdout.close()
        process.wait()
        reader.close()
        return timed_out


def environment(names: list[str]) -> dict[str, str]:
    """What a stage's process sees: this interpreter first in PATH, its devices, progress as lines."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    values = {**children.defaults(), **os.environ, "PATH": path}
    values |= {"WSSS_PROGRESS": "lines", "PYTHONUNBUFFERED": "1"}
    values |= {"DVC_NO_ANALYTICS": "1", "NO_COLOR": "1"}
    return values | gpus.environment(names)
