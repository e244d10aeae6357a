"""Run one command so that nothing of it survives: the program between a run and `dvc`.

    python supervisor.py PARENT GRACE LOG COMMAND...

It passes the command's output on and into the file LOG, ends the command when it is asked to
(SIGTERM, SIGINT, SIGQUIT) or when the process PARENT is gone, and when the command has ended, ends what it
left running. Ending means: SIGTERM to the stage, so that a training saves its checkpoint; after GRACE
seconds, or at once on SIGQUIT, SIGKILL to everything. `dvc` itself is spared the SIGTERM: it sees its
stage fail, frees its locks and goes.

Standard library only, one thread, no import of the project: it starts in a few milliseconds, and can
be killed at any moment (then `dvc` dies with it, and the stage gets SIGTERM). On Linux it inherits
orphans (PR_SET_CHILD_SUBREAPER), so that a stage whose `dvc` was killed, or which moved to a session
of its own, is still found. macOS can do neither: there, who kills the supervisor or `dvc` leaves the stage
running.
The last line of its output is `@exit {"code": ..., "memory": ...}`: the command's exit status (128 and
more: ended by that signal; 126 or 127: it could not be started), and the memory in bytes.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from resource import struct_rusage
from typing import BinaryIO

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
PROC = "/proc"  # where Linux tells of its processes
SHELLS = {"sh", "dash", "bash", "zsh", "ksh", "fish"}
TICK = 0.2  # seconds between looks at what is still there, while ending


def prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


class Supervisor:
    def __init__(self, parent: int, grace: float, log: str, command: list[str]) -> None:
        self.parent, self.grace = parent, grace
        self.asked = False  # to end
        self.deadline = float("inf")  # of the SIGTERM; then SIGKILL
        self.told: set[int] = set()  # who got a SIGTERM
        self.code: int | None = None
        self.memory = 0
        self.wake = self._signals()
        self.log = self._open(log)
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        self.output = reading
        self.main = self._start(command, writing)
        os.close(writing)

    def _open(self, log: str) -> BinaryIO | None:
        """A full disk, say, must not stop the stage."""
        try:
            return open(log, "wb", buffering=0)  # open until the end
        except OSError as error:
            self._write(f"no log file: {error}\n".encode(), log=False)
            return None

    def _start(self, command: list[str], output: int) -> int:
        """Start the command; its process, or 0 if that cannot be: `code` says so then.

        The object stays: of one that is gone, the next Popen collects the process, and its exit status.
        """
        try:
            self.started = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0,
                preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
            )  # fmt: skip
            return self.started.pid
        except OSError as error:
            self.code = 127 if isinstance(error, FileNotFoundError) else 126
            self._write(f"error: cannot start {command[0]}: {error.strerror}\n".encode())
            return 0

    def _signals(self) -> int:
        """Signals arrive as bytes in a pipe, so that one `select` waits for everything."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        return reading

    def run(self) -> int:
        while True:
            alive = self._reap()
            if self.code is not None and not alive:
                break
            self._end_if_needed()
            self._wait()
        self._pass_on()
        code = self.code if self.code >= 0 else 128 - self.code
        self._write(f"\n@exit {json.dumps({'code': code, 'memory': self.memory})}\n".encode(), log=False)
        return code

    def _reap(self) -> bool:
        """Collect who has ended; whether anybody is left."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self.memory = max(self.memory, peak(usage))
            if pid == self.main:
                self.code = os.waitstatus_to_exitcode(status)

    def _end_if_needed(self) -> None:
        if not (self.asked or self.code is not None or os.getppid() != self.parent):
            return
        now = time.monotonic()
        if self.deadline == float("inf"):
            self.deadline = now + self.grace
        if now > self.deadline:
            for pid in descendants(os.getpid()):
                send(pid, signal.SIGKILL)
            return
        for pid in self._stages():
            if pid not in self.told:
                self.told.add(pid)
                send(pid, signal.SIGTERM)

    def _stages(self) -> list[int]:
        """The processes to tell: what `dvc` started, below its shell; and orphans that came to us."""
        tops = [pid for pid in children(os.getpid()) if pid != self.main]
        tops += children(self.main) if self.code is None else []
        shells = [pid for pid in tops if name(pid) in SHELLS]
        return tops + [below for shell in shells for below in children(shell)]

    def _wait(self) -> None:
        ending = self.deadline != float("inf")
        watched = [self.wake] + ([self.output] if self.output >= 0 else [])
        ready, _, _ = select.select(watched, [], [], TICK if ending else 1.0)
        if self.wake in ready:
            numbers = os.read(self.wake, 4096)
            self.asked |= any(number != signal.SIGCHLD for number in numbers)
            if signal.SIGQUIT in numbers:
                self.grace, self.deadline = 0.0, min(self.deadline, time.monotonic())
        if self.output in ready:
            self._pass_on()

    def _pass_on(self) -> None:
        """Forward all output that is there."""
        while self.output >= 0:
            try:
                content = os.read(self.output, 65536)
            except BlockingIOError:
                return
            if not content:
                os.close(self.output)
                self.output = -1
                return
            self._write(content)

    def _write(self, content: bytes, log: bool = True) -> None:
        """To the reader, if there still is one, and to the log: neither may stop the stage."""
        if log and self.log:
            with contextlib.suppress(OSError):
                self.log.write(content)
        while content:
            try:
                content = content[os.write(1, content) :]
            except OSError:
                return


def peak(usage: struct_rusage) -> int:
    """The most memory that a process had, in bytes: macOS counts these, Linux and the BSDs KiB."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def stat(pid: int) -> tuple[str, int] | None:
    """Name and parent of a process; None if it is gone."""
    if not os.path.isdir(PROC):
        return of_ps().get(pid)
    try:
        with open(f"{PROC}/{pid}/stat", "rb") as file:
            text = file.read().decode(errors="replace")
    except OSError:
        return None
    command, _, rest = text.partition("(")[2].rpartition(")")
    return command, int(rest.split()[1])


def of_ps() -> dict[int, tuple[str, int]]:
    """Name and parent of each process by its number, where there is no /proc; of `ps` itself nothing."""
    command = ["ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "comm="]
    try:
        asked = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    except OSError:
        return {}
    rows = [line.split(None, 2) for line in asked.communicate()[0].decode(errors="replace").splitlines()]
    found = {int(row[0]): (os.path.basename(row[2]), int(row[1])) for row in rows if len(row) == 3}
    return {pid: row for pid, row in found.items() if pid != asked.pid}


def name(pid: int) -> str:
    found = stat(pid)
    return found[0] if found else ""


def parents() -> dict[int, int]:
    if not os.path.isdir(PROC):
        return {pid: parent for pid, (_, parent) in of_ps().items()}
    pids = [int(entry) for entry in os.listdir(PROC) if entry.isdigit()]
    return {pid: found[1] for pid in pids if (found := stat(pid))}


def children(pid: int) -> list[int]:
    return [child for child, parent in parents().items() if parent == pid]


def descendants(pid: int) -> list[int]:
    tree, found = parents(), [pid]
    for above in found:
        found += [child for child, parent in tree.items() if parent == above]
    return found[1:]


def send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def main() -> int:
    parent, grace, log, *command = sys.argv[1:]
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it died before the call
        return 1
    return Supervisor(int(parent), float(grace), log, command).run()


if __name__ == "__main__":
    sys.exit(main())
