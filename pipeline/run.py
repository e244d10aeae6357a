"""One run: stages as child processes, each judged, locked, watched, and remembered.

DVC decides and remembers. A stage that the workspace calls unchanged starts no process; each other
is one `dvc --wait-for-lock repro --single-item` under the supervisor child.py. The runner (without
Prefect) and the flow (with it) both drive this module, so there is one engine.
"""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from pipeline import child, gpus, ledger, leftovers, lockfile, locks, objects, places, plan
from pipeline.graph import Stage

UNCHANGED, RESTORED, RAN, FAILED, TIMEOUT, CANCELLED, BLOCKED = (
    "unchanged", "restored", "ran", "failed", "timeout", "cancelled", "blocked",
)  # fmt: skip
BUSY = "busy"  # another dvc holds the files: tried again until it is gone
GOOD = (UNCHANGED, RESTORED, RAN)
GRACE = 20.0  # seconds between SIGTERM and SIGKILL; Prefect's own are 30, and ours must come first
USER_ERROR = 2  # exit status of a stage that says what is wrong: no retry would mend it
KILLED = -1  # exit status of a dvc whose supervisor could not tell it
LONGEST_LINE = 2000
DVC = threading.Lock()  # it is not made for threads; the points of a sweep share a process
LITTLE = 1e6  # bytes: a disk with less is full
CHATTER = (  # of dvc, about git, after every stage; the log file keeps it
    "To track the changes with git", "git add ", "To enable auto staging", "dvc config core.autostage",
    "Use `dvc push`", "Updating lock file", "Generating lock file",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What became of one stage."""

    stage: str
    outcome: str
    why: str = ""
    seconds: float = 0.0
    device: str = ""  # "GPU 0", "CPU", or nothing if it computed nothing
    memory: int = 0  # bytes of the largest process

    @property
    def good(self) -> bool:
        return self.outcome in GOOD


class Listener(Protocol):
    """Who is told what happens; called from several threads."""

    def line(self, stage: str, text: str) -> None: ...
    def progress(self, stage: str, what: str, done: int, total: int) -> None: ...
    def epoch(self, stage: str, values: dict[str, Any]) -> None: ...


@dataclass
class Run:
    """A run of a worktree. Open it with `Run.open`: two runs never share a worktree."""

    root: Path
    name: str
    listener: Listener
    force: frozenset[str] = frozenset()
    grace: float = GRACE
    elsewhere: Callable[[Stage], bool] | None = None  # runs it on another machine; False: run it here
    cancelled: threading.Event = field(default_factory=threading.Event)
    _worktree: locks.Lock = field(init=False)
    dvc: threading.Lock = field(default=DVC)

    @contextmanager
    def open(self) -> Iterator["Run"]:
        """Hold the worktree, and clear away what a killed run left.

        Raises locks.HeldError that names the other run, if there is one.
        """
        self._worktree = self._hold()
        with self._worktree:
            ended = leftovers.end(leftovers.WORKTREE, str(self.root.resolve()), self.grace)
            for pid, command in ended.items():
                self.listener.line("", f"ended what a killed run had left: {pid} {command}")
            self._mend("")
            yield self

    def _hold(self) -> locks.Lock:
        """Take the worktree's lock; one of a run that was killed is free as soon as its stages have ended."""
        until, said = time.monotonic() + GRACE + 10, False
        while True:
            try:
                return locks.take(places.worktree_lock(self.root), self.name, "this worktree")
            except locks.HeldError as error:
                if not is_dead(error.holder) or time.monotonic() > until:
                    raise
                if not said:
                    self.listener.line("", f"waiting for the stages of a killed run to end: {error.holder}")
                said = True
            time.sleep(0.2)

    def _mend(self, stage: str) -> None:
        """Keep dvc.lock, and say what was damaged."""
        with self.dvc:
            for line in lockfile.keep(self.root):
                self.listener.line(stage, line)

    def make_plan(self, targets: Sequence[str] = (), force: Iterable[str] = ()) -> plan.Plan:
        with self.dvc:
            return plan.make(self.root, targets, force)

    def stage(self, name: str) -> Result:
        """Bring one stage up to date; what it reads from must be so already. A fault is in the result."""
        start = time.monotonic()
        held: list[locks.Lock] = [self._worktree]
        try:
            result = self._stage(name, held)
        except Exception as error:  # what DVC's libraries raise is not written down anywhere
            result = Result(name, FAILED, message(error))
        finally:
            for lock in held[1:]:
                lock.release()
        result = replace(result, seconds=result.seconds or time.monotonic() - start)
        if result.outcome not in (UNCHANGED, BLOCKED):
            self._remember(result)
        return result

    def _stage(self, name: str, held: list[locks.Lock]) -> Result:
        one = self._look(name)
        forced = name in self.force
        if not forced and one.row.state in plan.AT_REST:
            return Result(name, UNCHANGED)
        if one.row.state == plan.BLOCKED:
            return Result(name, BLOCKED, "; ".join(one.row.why))
        if self.elsewhere and (forced or one.row.state != plan.RESTORABLE) and self.elsewhere(one.stage):
            self.force -= {name}  # a worker has run it: what is left is to restore it
            one, forced = self._look(name), False
            if one.row.state != plan.RESTORABLE:
                return Result(name, FAILED, f"a worker's result cannot be restored: {'; '.join(one.row.why)}")
        if one.row.key:
            path = places.input_lock(one.cache, name, one.row.key)
            lock, waited = locks.wait(
                lambda: locks.take(path, self.name, f"the same {name}"), self.stopped, self._teller(name)
            )
            if lock is None:
                return Result(name, CANCELLED)
            held.append(lock)
            one = self._look(name) if waited else one
        if one.row.state == plan.RESTORABLE and self._distrust(name):
            one = self._look(name)
        names: list[str] = []
        device = ""
        if forced or one.row.state != plan.RESTORABLE:
            count = gpus.wanted(one.stage.meta.gpu, one.stage.meta.distributed)
            taken = gpus.take(count, self.name, self.stopped, self._teller(name))
            if taken is None:
                return Result(name, CANCELLED)
            held += taken.values()
            names = sorted(taken)
            device = f"GPU {','.join(names)}" if names else "CPU"
            if count and not names:
                self.listener.line(name, "no GPU on this machine: it runs on the CPU")
        start = time.monotonic()  # of the work: waiting for others would spoil the estimates
        return replace(self._tries(one, device, names, held), seconds=time.monotonic() - start)

    def _look(self, name: str) -> plan.One:
        with self.dvc:
            return plan.one(self.root, name)

    def _distrust(self, name: str) -> bool:
        """Remove damaged objects of a result that is to be restored; whether there were any."""
        with self.dvc:
            lines = objects.remove_damaged(self.root, name)
        for line in lines:
            self.listener.line(name, line)
        return bool(lines)

    def _tries(self, one: plan.One, device: str, names: list[str], held: list[locks.Lock]) -> Result:
        """Run it, and again where a retry can help: a training goes on from its checkpoint."""
        tries, said = 0, ""
        while True:
            if one.row.key:
                objects.clear_run(one.cache, one.row.key)
            result, retry = self._child(one.stage, device, names, held)
            if result.outcome == BUSY:
                if result.why != said:
                    self._teller(one.stage.name)(result.why)
                said = result.why
                if not self._sleep(2):
                    return replace(result, outcome=CANCELLED)
                continue
            tries += 1
            if not retry or tries > one.stage.meta.retries or self.stopped():
                return self._with_full_disks(result, one.cache)
            self._teller(one.stage.name)(f"{result.why}; trying again ({tries} of {one.stage.meta.retries})")

    def _with_full_disks(self, result: Result, cache: Path) -> Result:
        """A full disk shows itself in many ways: a failure names it."""
        full = [str(place) for place in (self.root, cache) if places.free(place) < LITTLE]
        if result.outcome != FAILED or not full:
            return result
        return replace(result, why=f"{result.why}; no space left on the disk of {' and '.join(full)}")

    def _child(
        self, stage: Stage, device: str, names: list[str], held: list[locks.Lock]
    ) -> tuple[Result, bool]:
        """One child process. Returns what came out of it, and whether a retry makes sense."""
        log = places.log(self.root, stage.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", stage.name]
        command += ["--force"] if stage.name in self.force else []
        supervisor = [sys.executable, "-I", "-S", child.__file__, str(os.getpid()), str(self.grace), str(log)]
        marks = leftovers.marks(self.root, uuid.uuid4().hex)
        process = subprocess.Popen(
            supervisor + command,
            cwd=self.root,
            env=environment(names) | marks,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=[lock.handle for lock in held],
        )
        reader = _Reader(stage.name, self.listener)
        try:
            timed_out = self._follow(process, reader, stage.meta.timeout)
        except BaseException:  # of the listener: nobody would look after the stage
            self._end(process)
            raise
        if reader.code == KILLED:  # the supervisor: what it looked after may still be there
            leftovers.end(leftovers.CHILD, marks[leftovers.CHILD], self.grace)
        return judge(stage, reader, device, timed_out, self.stopped())

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        process.stdout.close()  # or it would wait for a reader
        process.terminate()
        process.wait()

    def _follow(self, process: subprocess.Popen[bytes], reader: "_Reader", timeout: float | None) -> bool:
        """Read its lines to the end; end it on a cancel or at its deadline. Whether the deadline came."""
        assert process.stdout is not None
        handle = process.stdout.fileno()
        deadline = time.monotonic() + (timeout or float("inf"))
        asked = timed_out = False
        while True:
            if not asked and (self.stopped() or time.monotonic() > deadline):
                asked, timed_out = True, not self.stopped()
                process.terminate()
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

    def _remember(self, result: Result) -> None:
        """The ledger, and a copy of dvc.lock while it is sound. A full disk must not hide the outcome."""
        try:
            self._mend(result.stage)
            ledger.append(self.root, {
                "stage": result.stage, "outcome": result.outcome, "seconds": round(result.seconds, 3),
                "memory": result.memory, "device": result.device, "run": self.name,
                "host": socket.gethostname(), "ended": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
                "outs": ledger.hashes(lockfile.stages(self.root).get(result.stage, {})),
            })  # fmt: skip
        except Exception as error:
            self.listener.line(result.stage, f"not noted in the ledger: {message(error)}")

    def stopped(self) -> bool:
        return self.cancelled.is_set()

    def _sleep(self, seconds: float) -> bool:
        return not self.cancelled.wait(seconds)

    def _teller(self, stage: str) -> Callable[[str], None]:
        return lambda text: self.listener.line(stage, text)


def is_dead(holder: locks.Holder | None) -> bool:
    """Whether a lock's holder was a process of this machine that has ended."""
    if holder is None or holder.host != socket.gethostname():
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def message(error: Exception) -> str:
    """An error in one line; one that nobody has foreseen with its name."""
    text = str(error)
    return text if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {text}"


def environment(names: list[str]) -> dict[str, str]:
    """What a stage's process sees: this interpreter first in PATH, its devices, progress as lines."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    values = {**os.environ, "PATH": path, "WSSS_PROGRESS": "lines", "PYTHONUNBUFFERED": "1"}
    values |= {"DVC_NO_ANALYTICS": "1", "NO_COLOR": "1"}
    return values | gpus.environment(names)


def judge(
    stage: Stage, reader: "_Reader", device: str, timed_out: bool, cancelled: bool
) -> tuple[Result, bool]:
    """The outcome by DVC's words and the exit status; whether a retry makes sense."""
    done = Result(stage.name, reader.outcome or UNCHANGED, device=device, memory=reader.memory)
    if reader.code == 0:
        return done, False
    if timed_out:
        why = f"longer than {stage.meta.timeout:.0f} s (meta.timeout)"
        return replace(done, outcome=TIMEOUT, why=why), True
    if cancelled:
        return replace(done, outcome=CANCELLED), False
    if reader.busy:
        return replace(done, outcome=BUSY, why=f"waiting: its files are held by {reader.busy}"), False
    return replace(done, outcome=FAILED, why=reader.reason()), reader.status != USER_ERROR


class _Reader:
    """The output of one child: lines go to the listener, DVC's words to the outcome."""

    def __init__(self, stage: str, listener: Listener) -> None:
        self.stage, self.listener = stage, listener
        self.rest = b""
        self.last: deque[str] = deque(maxlen=20)
        self.error, self.fault, self.busy, self.outcome = "", "", "", ""  # error: the stage's, fault: DVC's
        self.status: int | None = None  # of the stage's command
        self.code, self.memory = KILLED, 0  # of dvc, as the supervisor tells it

    def feed(self, content: bytes) -> None:
        """Progress bars rewrite their line by carriage returns: only what stands at its end counts."""
        *lines, self.rest = (self.rest + content).split(b"\n")
        if len(self.rest) > LONGEST_LINE:
            _, bar, last = self.rest.rstrip(b"\r").rpartition(b"\r")
            lines, self.rest = (lines, last) if bar else ([*lines, self.rest], b"")
        for line in lines:
            self._line(line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace").rstrip())

    def close(self) -> None:
        if self.rest:
            self.feed(b"\n")

    def _line(self, text: str) -> None:
        if self._told(*text.partition(" ")) or not text or text.lstrip().startswith(CHATTER):
            return
        self._understand(text)
        text = text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]} ..."
        self.last.append(text)
        self.listener.line(self.stage, text)

    def _told(self, mark: str, _: str, text: str) -> bool:
        """Whether the line was one for programs; a stage may print what only looks like one."""
        if mark not in ("@progress", "@epoch", "@exit"):
            return False
        try:
            values = json.loads(text)
            if mark == "@progress":
                told = str(values["what"]), int(values["done"]), int(values["total"])
            elif mark == "@exit":
                self.code, self.memory = int(values["code"]), int(values["memory"])
            elif not isinstance(values, dict):
                return False
        except (ValueError, TypeError, KeyError):
            return False
        if mark == "@progress":
            self.listener.progress(self.stage, *told)
        elif mark == "@epoch":
            self.listener.epoch(self.stage, values)
        return True

    def _understand(self, text: str) -> None:
        """DVC's own words, as of the pinned version (tests/pipeline/test_run.py)."""
        if text.startswith("Running stage '"):
            self.outcome = RAN
        elif text.startswith("Stage '") and "is cached - skipping run" in text:
            self.outcome = RESTORED
        elif text.startswith("Stage '") and text.endswith("didn't change, skipping"):
            self.outcome = UNCHANGED
        elif text.startswith("error: "):
            self.error = text.removeprefix("error: ")
        elif "is busy, it is being blocked by" in text:
            self.busy = text
        elif self.busy and text.lstrip().startswith("(PID"):
            self.busy = text.strip()
        elif text.startswith("ERROR: "):
            self._dvc_error(text.removeprefix("ERROR: "))

    def _dvc_error(self, text: str) -> None:
        text = re.sub(r"^failed to reproduce '[^']*': |^unexpected error - ", "", text)
        if found := re.search(r"^failed to run: .*, exited with (-?\d+)$", text):
            self.status = int(found[1])
        else:
            self.fault = text

    def reason(self) -> str:
        """Why it failed, in one line: what the stage said, how it ended, or what DVC said."""
        if self.error:
            return self.error
        if self.status is not None and (self.status < 0 or self.status > 128):
            number = -self.status if self.status < 0 else self.status - 128
            return f"its process was ended by {_signal(number)}"
        if self.code in (KILLED, 128 + signal.SIGKILL):
            return "dvc or its supervisor was killed"
        if self.fault:
            return f"dvc: {self.fault}"
        words = [text for text in self.last if not text.startswith(("ERROR: ", "Running stage '", "> "))]
        return words[-1] if words else f"exit status {self.code if self.status is None else self.status}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
