"""Where a flow run works: in the checkout, or in a worktree of its own, which nobody else has meanwhile.

Whatever changes parameters, preset or revision gets a worktree named as the run, which goes with it. A
run may also name a worktree that stays for the next one, as nightly runs do.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.engine import worktrees
from pipeline.engine.stage import DVC, Run
from pipeline.project import git, locks, places
from pipeline.project.outcomes import Listener

Say = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """What a run was asked for."""

    name: str
    targets: list[str] = field(default_factory=list)
    force: list[str] = field(default_factory=list)
    overrides: dict[str, Any] = field(default_factory=dict)
    preset: str | None = None
    revision: str | None = None
    worktree: str | None = None  # one that stays
    jobs: int = 2
    pools: list[str] = field(default_factory=list)
    kind: str = "flow run"

    @property
    def place(self) -> str | None:
        """The name of its worktree and branch; None for the checkout itself."""
        apart = self.overrides or self.preset or self.revision
        return self.worktree or (self.name if apart else None)

    @property
    def holder(self) -> str:
        return f"{self.kind} {self.name}"


@contextmanager
def opened(root: Path, order: Order, listener: Listener, say: Say) -> Iterator[Run]:
    """The engine at its place, with the order's parameters set.

    Raises locks.HeldError with the holder's name, and ValueError for a revision, preset or parameter that
    is not there.
    """
    if order.place is None:
        with Run(root, order.holder, listener).open() as engine:
            yield engine
        return
    main = git.main_root(root)
    with ExitStack() as stack:
        with _alone(main, order, say):
            place = _make(root, main, order)
            if not order.worktree:
                stack.callback(_remove, main, order, say)
            engine = stack.enter_context(Run(place, order.holder, listener).open())
        for change in worktrees.override(place, order.overrides, order.preset):
            say(change)
        yield engine


def _make(root: Path, main: Path, order: Order) -> Path:
    """The run's worktree. What killed runs left behind is removed on the way."""
    assert order.place is not None
    for name in worktrees.names(main):
        place = worktrees.folder(main, name)
        if places.temporary(place).exists() and not locks.is_held(places.worktree_lock(place)):
            worktrees.remove(main, name)
    if not order.worktree and order.place in git.branches(main):
        raise ValueError(f"{git.BRANCH}{order.place} is a finished run: give this one another name")
    held = places.worktree_lock(worktrees.folder(main, order.place))
    while locks.is_held(held) and locks.is_passing(locks.holder(held)):
        time.sleep(0.2)
    if locks.is_held(held):
        raise locks.HeldError(f"the worktree {order.place}", locks.holder(held))
    with DVC:  # it looks at the graph, and another run of this process may do so now
        place = worktrees.create(root, order.place, order.revision or "HEAD")
    if order.worktree in git.branches(main):  # what lies there is as its last run left it
        lock = git.run(main, "show", f"{git.BRANCH}{order.place}:./dvc.lock")
        worktrees.write_lock(place, lock + "\n")
    if not order.worktree:
        places.temporary(place).parent.mkdir(parents=True, exist_ok=True)
        places.temporary(place).touch()
    return place


def _remove(main: Path, order: Order, say: Say) -> None:
    assert order.place is not None
    with _alone(main, order, say):
        worktrees.remove(main, order.place)


@contextmanager
def _alone(main: Path, order: Order, say: Say) -> Iterator[None]:
    """Only one run at a time makes or removes worktrees; it takes a second."""
    path = places.worktrees_lock(main)
    lock, _ = locks.wait(lambda: locks.take(path, order.holder, "the list of worktrees"), lambda: False, say)
    assert lock is not None
    with lock:
        yield
