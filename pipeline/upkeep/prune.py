"""`wsss prune`: remove from the cache what no kept commit and no workspace names.

Kept are the results of the last commits of every worktree, of every local branch (runs leave
wsss/run/NAME), tag, stash and DVC experiment, and of every workspace as it is. Everything that a kept
dvc.lock or .dvc file names is kept, by its hash. `dvc gc` is not used: it drops the outputs that git
keeps too (metrics), without which a run restores nothing; stops at a commit whose dvc.yaml is broken;
and leaves rows of the run cache that point to nothing.

Nothing may run meanwhile: what a stage has saved is in no dvc.lock yet.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.engine import leftovers
from pipeline.memory import rwlock, users
from pipeline.memory.graph import open_repo
from pipeline.memory.users import User
from pipeline.project import git, locks, places, safe, sizes
from pipeline.upkeep.checks.project import damage
from stages.common.door import visible
from stages.common.params import parse_yaml

HASH = re.compile(rb"\b[0-9a-f]{32}\b(?:\.dir)?")
MEMORY = (":(glob)**/dvc.lock", ":(glob)**/*.dvc")  # the files that name results
OTHER = "other"  # of no row of the run cache: results of a plain `dvc add`, or what a killed save left


@dataclass(frozen=True)
class Found:
    """What would go, of how much; paths are absolute."""

    objects: dict[Path, int]  # with their bytes
    rows: list[Path]  # of the run cache, whose results are then gone
    by_output: dict[str, int]  # bytes
    kept: int  # objects


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


def survey(cache: Path, everywhere: list[Path], keep_last: int) -> Found:
    """What nobody needs. Reads all that is kept; removes nothing."""
    objects = dict(_objects(cache))
    store = _Store(cache, {_name(path) for path in objects})
    used = store.with_members(named(everywhere, keep_last))
    doomed = {path: size for path, size in objects.items() if _name(path) not in used}
    left = _Store(cache, {_name(path) for path in objects if path not in doomed})
    rows = [(path, _outputs(path)) for path in sorted((cache / "runs").glob("*/*/*"))]
    dead = [path for path, outs in rows if not outs or not all(left.is_whole(name) for name in outs.values())]
    by_output = _by_output(store, {_name(path): size for path, size in doomed.items()}, rows)
    return Found(doomed, dead, by_output, len(objects) - len(doomed))


def named(everywhere: list[Path], keep_last: int) -> set[str]:
    """Every hash in the kept dvc.lock and .dvc files: of commits, and as they lie there."""
    found: set[str] = set()
    for place in everywhere:
        found |= _hashes(_of_commits(place, revisions(place, keep_last)))
        listed = git.run(place, "ls-files", "-z", "--cached", "--others", "--", *MEMORY)
        files = [place / name for name in listed.split("\0") if name]
        found |= _hashes(b"\n".join(file.read_bytes() for file in files if file.is_file()))
    return found


def revisions(place: Path, keep_last: int) -> list[str]:
    """The last commits of a worktree, and the heads of all branches, tags, stashes and experiments."""
    form = "--format=%(objecttype) %(objectname)%0a%(*objecttype) %(*objectname)"
    refs = git.run(place, "for-each-ref", form, "refs/heads", "refs/tags", "refs/exps").splitlines()
    heads = [line.split()[1] for line in refs if line.startswith("commit ")]
    stashes = git.run(place, "stash", "list", "--format=%H").split()
    try:
        last = git.run(place, "rev-list", f"--max-count={keep_last}", "HEAD").split()
    except ValueError:  # no commit yet
        last = []
    return list(dict.fromkeys([*last, *heads, *stashes]))


def _of_commits(place: Path, commits: Iterable[str]) -> bytes:
    """The text of all files of commits that name results, each version once."""
    blobs: dict[str, None] = {}
    for commit in commits:
        for entry in git.run(place, "ls-tree", "-r", "-z", "--full-tree", commit).split("\0"):
            about, _, path = entry.partition("\t")
            if path.rpartition("/")[2] == "dvc.lock" or path.endswith(".dvc"):
                blobs[about.split()[2]] = None
    command = ["git", "cat-file", "--batch"]
    asked = "".join(f"{blob}\n" for blob in blobs).encode()
    return subprocess.run(command, cwd=place, input=asked, capture_output=True, check=True).stdout


def _hashes(text: bytes) -> set[str]:
    """By form, not by the file's structure: what is damaged or unknown keeps too much, never too little."""
    return {match.decode() for match in HASH.findall(text)}


class _Store:
    """The objects of a cache that are there, or will be."""

    def __init__(self, cache: Path, present: set[str]) -> None:
        self.cache, self.present = cache, present
        self.lists: dict[str, set[str]] = {}

    def members(self, name: str) -> set[str]:
        """The files of a folder's list; nothing for a file, or where the list is not there."""
        if name not in self.lists:
            path = self.cache / "files" / "md5" / name[:2] / name[2:]
            is_there = name.endswith(".dir") and path.is_file()
            self.lists[name] = _hashes(path.read_bytes()) if is_there else set()
        return self.lists[name]

    def with_members(self, names: set[str]) -> set[str]:
        return names.union(*(self.members(name) for name in names))

    def is_whole(self, name: str) -> bool:
        return name in self.present and self.members(name) <= self.present


def _objects(cache: Path) -> Iterator[tuple[Path, int]]:
    """All files of the cache with their bytes; what a killed save left among them is one too."""
    for place, _, names in os.walk(cache / "files" / "md5"):
        for name in names:
            path = Path(place, name)
            yield path, path.lstat().st_size


def _name(path: Path) -> str:
    return path.parent.name + path.name


def _outputs(row: Path) -> dict[str, str]:
    """Names of a row's outputs by path; nothing if it cannot be read, as DVC cannot either."""
    try:
        outs: list[dict[str, Any]] = parse_yaml(row.read_text(), str(row))["outs"]
        return {str(out["path"]): safe.oid(out["md5"], str(row)) for out in outs}
    except (ValueError, KeyError, TypeError):
        return {}


def _by_output(
    store: _Store, doomed: dict[str, int], rows: list[tuple[Path, dict[str, str]]]
) -> dict[str, int]:
    """Bytes to free by the output they were of, largest first; an object of several counts for the first."""
    rest, found = dict(doomed), dict[str, int]()
    for _, outs in rows:
        for path, name in outs.items():
            sized = [rest.pop(one) for one in (name, *store.members(name)) if one in rest]
            if sized:
                found[path] = found.get(path, 0) + sum(sized)
    if rest:
        found[OTHER] = sum(rest.values())
    return dict(sorted(found.items(), key=lambda item: -item[1]))


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
