"""One run: stages as child processes, each judged, locked, watched, and remembered.

DVC decides and remembers. A stage that the workspace calls unchanged starts no process; each other
is one `dvc --wait-for-lock repro --single-item` under supervisor.py. The recipe (without
Prefect) and the flow (with it) both drive this module, so there is one engine.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.engine import leftovers, training_logs
from pipeline.engine.child import Child
from pipeline.engine.output import BUSY
from pipeline.memory import attribution, lockfile, objects, plan, putback, runcache, users
from pipeline.memory.graph import Stage
from pipeline.project import gpus, ledger, locks, places
from pipeline.project.outcomes import BLOCKED, CANCELLED, FAILED, RAN, UNCHANGED, Listener, Result

GRACE = 20.0  # seconds between SIGTERM and SIGKILL; Prefect's own are 30, and ours must come first
DVC = threading.Lock()  # it is not made for threads; the points of a sweep share a process
SOON = 1.0  # seconds for which a look at the inputs holds
LITTLE = 1e6  # bytes: a disk with less is full


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
    hurried: threading.Event = field(default_factory=threading.Event)  # cancelled, and at once
    called: str = ""  # in the training logs; without: as its worktree
    reading: set[str] = field(default_factory=set)  # stages that only look now: they can be left alone
    _worktree: locks.Lock = field(init=False)
    dvc: threading.Lock = field(default=DVC)

    @contextmanager
    def open(self) -> Iterator["Run"]:
        """Hold the worktree, and clear away what a killed run left.

        Raises locks.HeldError that names the other run, if there is one, and ValueError if the training logs
        that are asked for cannot be.
        """
        training_logs.check()
        self._worktree = self._hold()
        with self._worktree:
            ended = leftovers.end(leftovers.WORKTREE, str(self.root.resolve()), self.grace)
            for pid, command in ended.items():
                self.listener.line("", f"ended what a killed run had left: {pid} {command}")
            self._mend("")
            self._tell_all("", attribution.recover(self.root))
            with self.dvc:
                users.note(self.root)
            yield self

    def _hold(self) -> locks.Lock:
        """Take the worktree's lock; one of a run that was killed is free as soon as its stages have ended.

        A prune is waited for: it lasts as long as it reads the cache.
        """
        until, said = time.monotonic() + GRACE + 10, False
        while True:
            try:
                return locks.take(places.worktree_lock(self.root), self.name, "this worktree")
            except locks.HeldError as error:
                passing = locks.is_passing(error.holder)
                dead = locks.is_dead(error.holder) and time.monotonic() < until
                if not (passing or dead) or self.stopped():
                    raise
                if not said:
                    what = "waiting for" if passing else "waiting for the stages of a killed run to end:"
                    self.listener.line("", f"{what} {error.holder}")
                said = True
            time.sleep(0.2)

    def _mend(self, stage: str) -> None:
        """Keep dvc.lock, and say what was damaged."""
        with self.dvc:
            self._tell_all(stage, lockfile.keep(self.root))

    def _tell_all(self, stage: str, lines: Iterable[str]) -> None:
        for line in lines:
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
        if self._distrust(one):
            one = self._look(name)
        if one.entry and not forced:
            with self.dvc:
                lockfile.put(self.root, name, one.entry)
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
        result = replace(self._tries(one, device, names, held), seconds=time.monotonic() - start)
        if not result.good and one.there:
            self._put_back(name, one.there)
        return result

    def _put_back(self, name: str, paths: Sequence[str]) -> None:
        """DVC removes outputs before it runs a stage: one that then failed has them as before."""
        try:
            with self.dvc:
                lines = putback.put_back(self.root, name, paths)
        except Exception as error:  # a full disk, say, must not hide why the stage failed
            lines = [f"{', '.join(paths)}: not put back: {message(error)}"]
        self._tell_all(name, lines)

    def _look(self, name: str) -> plan.One:
        self.reading.add(name)
        try:
            with self.dvc:
                return plan.one(self.root, name)
        finally:
            self.reading.discard(name)

    def _distrust(self, one: plan.One) -> bool:
        """Remove damaged objects of a result that is to be restored, or computed; whether there were any."""
        with self.dvc:
            lines = objects.remove_damaged(one.at_stake)
        self._tell_all(one.stage.name, lines)
        return bool(lines)

    def _tries(self, one: plan.One, device: str, names: list[str], held: list[locks.Lock]) -> Result:
        """Run it, and again where a retry can help: a training goes on from its checkpoint."""
        tries, said = 0, ""
        while True:
            if one.row.key:
                objects.clear_run(one.cache, one.row.key)
            result, retry = self._attributed(one, device, names, held)
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

    def _attributed(
        self, one: plan.One, device: str, names: list[str], held: list[locks.Lock]
    ) -> tuple[Result, bool]:
        """One child process, whose result is not kept if what it was made from changed meanwhile."""
        if time.monotonic() - one.looked > SOON:  # it waited for others, or is a retry
            one = replace(self._look(one.stage.name), entry=None)
        watched = attribution.Watched(self.root, one, self.name)
        forced, name = one.stage.name in self.force, one.stage.name
        with training_logs.told(self.root, self.called, name, one.inputs, self.listener) as listener:
            child = Child(self.root, self.grace, listener, self.cancelled, self.hurried)
            result, retry = child.run(one.stage, forced, device, names, held, watched)
        if one.stage.name not in lockfile.stages(self.root):
            self._mend(one.stage.name)
        with self.dvc:
            changed = watched.end(result)
            if one.by_git and not changed and result.outcome == RAN:
                runcache.save(self.root, one.stage.name)
        spoilt = bool(changed) and result.good
        return attribution.judged(result, changed), retry and not spoilt

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


def message(error: Exception) -> str:
    """An error in one line; one that nobody has foreseen with its name."""
    text = str(error)
    return text if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {text}"
