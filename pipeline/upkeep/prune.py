"""`wsss prune`: remove from the cache what no kept commit and no workspace names.

Kept are the results of the last commits of every worktree, of every local branch (runs leave
wsss/run/NAME), tag, stash and DVC experiment, and of every workspace as it is. Everything that a kept
dvc.lock or .dvc file names is kept, by its hash. `dvc gc` is not used: it drops the outputs that git
keeps too (metrics), without which a run restores nothing; stops at a commit whose dvc.yaml is broken;
and leaves rows of the run cache that point to nothing.

Nothing may run meanwhile: what a stage has saved is in no dvc.lock yet.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipeline.engine import leftovers
from pipeline.memory import rwlock, users
from pipeline.memory.graph import open_repo
from pipeline.memory.users import User
from pipeline.project import git, locks, places, sizes
from pipeline.upkeep.checks.project import damage
from pipeline.upkeep.kept import Found, survey
from stages.common.door import visible


def main(root: Path, keep_last: int, yes: bool, projects: list[Path]) -> int:
    """Say what would go, ask, remove it; returns 0. Raises ValueError when something runs."""
    cache = cache_of(root)
    everywhere = workspaces(root, projects, cache)
    with quiet(everywhere, cache):
        first = survey(cache, everywhere, keep_last)
    report(first, root, cache)
    if not (first.objects or first.rows) or not (yes or _agreed()):
        return 0
    everywhere = workspaces(root, projects, cache)  # a run may have come and gone while we asked
    with quiet(everywhere, cache):
        again = survey(cache, everywhere, keep_last)
        gone = [path for path in again.objects if path in first.objects]  # no more than was said
        rows = [path for path in again.rows if path in first.rows]
        remove(gone, rows)
    freed = sizes.text(sum(again.objects[path] for path in gone))
    print(f"removed {len(gone)} objects and {len(rows)} rows: {freed} are free")
    return 0


def cache_of(root: Path) -> Path:
    with open_repo(root) as repo:
        return Path(repo.cache.local_cache_dir).resolve()


def workspaces(root: Path, projects: Iterable[Path], cache: Path) -> list[Path]:
    """The project in every worktree of this clone, and of the clones `projects`.

    Raises ValueError when others may use the cache and none was named.
    """
    clones, elsewhere = [git.main_root(root)], set()
    inside = cache.is_relative_to(Path(git.run(clones[0], "rev-parse", "--show-toplevel")).resolve())
    if not inside and not list(projects):
        raise ValueError(
            f"the cache {cache} lies outside this project: other clones may use it, and would lose their "
            "results. Name all of them: --projects PATH for each (--projects . if there is no other)"
        )
    known = users.others(cache, [])
    for path in projects:
        if any(str(path) == str(user) for user in known if not user.is_here):
            elsewhere.add(str(path))  # its results go: the user says so
            continue
        if not (path / "dvc.yaml").is_file():
            raise ValueError(f"--projects {path}: there is no dvc.yaml")
        clone = git.main_root(path.resolve())
        if cache_of(clone) != cache:
            raise ValueError(f"--projects {path}: its cache is {cache_of(clone)}, not {cache}")
        clones.append(clone)
    others = [user for user in users.others(cache, clones) if str(user) not in elsewhere]
    if others:
        names = ", ".join(map(str, others))
        raise ValueError(f"the cache {cache} is used by {names} too, {_what_to_do(others)}")
    return list(dict.fromkeys(place for clone in clones for place in _worktrees(clone)))


def _what_to_do(others: list[User]) -> str:
    """Of a clone here the commits are read; one on another host cannot be asked."""
    here = [user for user in others if user.is_here]
    gone = [user for user in here if not user.root.is_dir()]
    far = [user for user in others if not user.is_here]
    told = []
    if here:
        told.append("which would lose their results. Name them: --projects PATH for each")
    if gone:
        told.append(f"of a clone that is no more remove the note: rm {gone[0].note}")
    if far:
        told.append(f"what only a clone of another host names would go; --projects {far[0]} says that it may")
    return "; ".join(told)


def _worktrees(clone: Path) -> Iterator[Path]:
    """Wherever they lie, those of `git worktree add` included."""
    prefix = git.run(clone, "rev-parse", "--show-prefix").strip("/")
    for line in git.run(clone, "worktree", "list", "--porcelain").splitlines():
        place = Path(line.removeprefix("worktree ")) / prefix
        if line.startswith("worktree ") and (place / ".dvc").is_dir():
            yield place


@contextmanager
def quiet(everywhere: list[Path], cache: Path) -> Iterator[None]:
    """Nothing runs on this cache, and nothing can start: runs wait. ValueError names who is at work.

    It looks before it takes a lock, so that a prune that is refused is in nobody's way.
    """
    clones = list(dict.fromkeys(git.main_root(place) for place in everywhere))
    name = f"{locks.PRUNE}{os.getpid()}"
    _nobody_holds(clones, everywhere, cache)
    with ExitStack() as stack:
        for clone in clones:  # or a run could make a worktree that is not among these
            stack.enter_context(locks.take(places.worktrees_lock(clone), name, f"the worktrees of {clone}"))
        for place in everywhere:
            stack.enter_context(locks.take(places.worktree_lock(place), name, str(place)))
        for place in everywhere:
            stack.enter_context(_dvc_waits(place))
            _nobody_works(place)
            if found := damage(place):
                raise ValueError(f"{place}/dvc.lock: {found}: `wsss run` there mends it, then prune")
        yield


def _nobody_holds(clones: list[Path], everywhere: list[Path], cache: Path) -> None:
    """Raises locks.HeldError if a sweep, a run, or a stage of another host is at work."""
    held = [(path, f"sweep {path.stem}") for clone in clones for path in places.sweep_locks(clone)]
    held += [(places.worktree_lock(place), str(place)) for place in everywhere]
    held += [(path, f"a stage's result ({path.stem})") for path in sorted((cache / "locks").glob("*.lock"))]
    for path, what in held:
        if locks.is_held(path):
            raise locks.HeldError(what, locks.holder(path))


@contextmanager
def _dvc_waits(place: Path) -> Iterator[None]:
    """Hold DVC's lock of the repository. ValueError if a dvc has it for longer than three seconds."""
    from dvc.lock import LockError, make_lock

    with open_repo(place) as repo:
        lock = make_lock(
            str(Path(repo.tmp_dir) / "lock"), tmp_dir=repo.tmp_dir, hardlink_lock=rwlock.hard(repo)
        )
        try:
            lock.lock()
        except LockError:
            raise ValueError(f"a dvc command works in {place}: prune when it has ended") from None
        try:
            yield
        finally:
            lock.unlock()


def _nobody_works(place: Path) -> None:
    """A plain `dvc repro`, or a worker of DVC's queue, is known by DVC's list only."""
    queue = (place / ".dvc" / "tmp" / "exps").glob("**/.dvc/tmp/rwlock")
    for where in (place, *(path.parents[2] for path in queue)):
        busy = [entry for entry in rwlock.entries(where) if entry.state != rwlock.DEAD]
        if busy:
            raise ValueError(
                f"a stage runs in {where}: {busy[0]}; prune when it has ended (see `wsss doctor`)"
            )
    left = leftovers.find(leftovers.WORKTREE, str(place.resolve()))
    if left:
        who = ", ".join(f"pid {pid} ({command})" for pid, command in left.items())
        raise ValueError(f"a killed run has left {who} in {place}; `wsss run` there ends it, then prune")


def report(found: Found, root: Path, cache: Path) -> None:
    """What would go, output by output."""
    for output, count in found.by_output.items():
        print(visible(f"{sizes.text(count):>9}  {output}"))
    total = sizes.text(sum(found.objects.values()))
    print(
        f"{len(found.objects)} of {len(found.objects) + found.kept} objects in {cache} are of no kept commit "
        f"and no workspace: {total}; {len(found.rows)} rows of the run cache point to nothing"
    )
    scratch = (git.main_root(root) / ".scratch").resolve()
    print(f".scratch, which stays: {sizes.text(sizes.of_folder(scratch))}")


def _agreed() -> bool:
    if not sys.stdin.isatty():
        print("nothing is removed: there is nobody to ask, add --yes")
        return False
    try:
        if input("Remove them? [y/N] ").strip().lower() in ("y", "yes"):
            return True
    except EOFError:
        print()
    print("nothing is removed")
    return False


def remove(objects: Iterable[Path], rows: Iterable[Path]) -> None:
    """Rows first, then lists of folders, then files: killed in between, nothing points to nothing."""
    for path in rows:
        path.unlink(missing_ok=True)
        for folder in path.parents[:2]:
            if not any(folder.iterdir()):
                folder.rmdir()
    for path in sorted(objects, key=lambda path: not path.name.endswith(".dir")):
        path.unlink(missing_ok=True)
