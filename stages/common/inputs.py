"""What a stage reads, noted before it reads it, and whether it is still the same at its end.

DVC hashes what a stage reads once more after its command, and remembers the result under those hashes. A
parameter, a code file or a picture that changed meanwhile would give a result a false name, for good.
"""

import contextlib
import hashlib
import itertools
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.common import processes, stamps
from stages.common.params import ParameterError, fill, read_yaml, value_of

FEW, SMALL = (
    500,
    32_000_000,
)  # files and bytes of a dependency whose content is noted, and looked at all along
EVERY = 0.2  # seconds between two looks
NAMED = 3  # changes in a message, at most
CLOCK = 0.02  # seconds that the time of a file may lag behind the clock
LEFT_OUT = ("__pycache__", ".git")  # folders that Python and git write to while they read
SCRAP = (".pyc", ".partial")  # ends of names that .dvcignore has, too

Signature = tuple[int, int, int, int]  # of a file: changed, modified, size, inode


class ChangedError(ValueError):
    """Something that the stage reads changed while it ran."""


class Watch:
    """What lies at `paths` (files and folders) and what `values` returns, from now on.

    `values` is asked again only when one of the files `sources` has changed: what it leaves out may change.
    A file that only got a new date has not changed. Of a large dependency dates and sizes are compared, at
    the end; of all else the content, at each look, so that an edit that is undone in time counts too.
    `left_out` are paths that the stage itself writes. Paths below `root` are named from there.
    """

    def __init__(
        self,
        paths: Iterable[Path],
        sources: Iterable[Path] = (),
        values: Callable[[], dict[str, Any]] = dict,
        left_out: Iterable[Path] = (),
        root: Path | None = None,
    ) -> None:
        self._root = root or Path.cwd()
        self.changes: dict[str, None] = {}  # in words, in order
        self._left_out = frozenset(left_out)
        self._sources, self._values = list(sources), values
        self._trees = {path: self._tree(path) for path in paths}
        self._content = {path: _digests(tree) for path, tree in self._trees.items() if _is_small(tree)}
        self._seen = {source: _signature(source) for source in self._sources}
        self._before = values()
        self._last = time.monotonic()

    def look(self, at_end: bool = False) -> bool:
        """Whether a change came up that no look before has seen. Takes no time if one has just been taken."""
        if not at_end and time.monotonic() - self._last < EVERY:
            return False
        known = len(self.changes)
        for path in self._trees:
            if at_end or path in self._content:
                self._compare(path, at_end)
        self._compare_values(at_end)
        self._last = time.monotonic()
        return len(self.changes) > known

    def told(self) -> str:
        """The changes, in one line; "" if there are none."""
        named = list(self.changes)[:NAMED]
        return ", ".join(named + [f"{len(self.changes) - NAMED} more"] * (len(self.changes) > NAMED))

    def _compare(self, path: Path, at_end: bool) -> None:
        before, now, content = self._trees[path], self._tree(path), self._content.get(path)
        for file in [*before, *(file for file in now if file not in before)]:
            if before.get(file) == now.get(file) or (file not in now and not at_end):
                continue  # an editor may be between two steps of its saving
            if content is None:  # too large to know its content: inode and time of linking say nothing
                same = file in before and file in now and before[file][1:3] == now[file][1:3]
            else:
                same = file in before and file in now and content[file] == _digest(file)
            if same:
                before[file] = now[file]  # it only got a new date
            else:
                self.changes[_short(file, self._root)] = None

    def _compare_values(self, at_end: bool) -> None:
        now = {source: _signature(source) for source in self._sources}
        if now == self._seen and not at_end:
            return
        try:
            values = self._values()
        except Exception as error:  # half written, as it seems; at the end nobody will mend it in time
            if at_end:
                self.changes[" ".join(str(error).split())] = None
            return
        self._seen = now
        for change in differences(self._before, values):
            self.changes[change] = None

    def _tree(self, path: Path) -> dict[Path, Signature]:
        """The files at a path, which is one or a folder of them."""
        found = _signature(path)
        if found is not None:
            return {path: found}
        tree = {}
        for folder, folders, files in os.walk(path):
            here = Path(folder)
            folders[:] = [
                name for name in folders if name not in LEFT_OUT and here / name not in self._left_out
            ]
            for name in files:
                ours = here / name in self._left_out or name.endswith(SCRAP)
                signature = None if ours else _signature(here / name)
                if signature:
                    tree[here / name] = signature
        return tree


def _signature(path: Path) -> Signature | None:
    """None for what is no plain file: a FIFO that DVC ignores would be read for ever."""
    with contextlib.suppress(OSError):
        found = path.stat()
        if stat.S_ISREG(found.st_mode):
            return found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino
    return None


def _is_small(tree: dict[Path, Signature]) -> bool:
    return len(tree) <= FEW and sum(signature[2] for signature in tree.values()) <= SMALL


def _digests(tree: dict[Path, Signature]) -> dict[Path, bytes | None]:
    return {file: _digest(file) for file in tree}


def _digest(file: Path) -> bytes | None:
    """None if it has just gone, or is not to be read, which the stage itself will say."""
    try:
        return hashlib.md5(file.read_bytes()).digest()
    except OSError:
        return None


def _short(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def differences(before: Any, now: Any, key: str = "") -> Iterator[str]:
    """The leaves in which two values differ, as `key: old -> new`."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in [*before, *(name for name in now if name not in before)]:
            yield from differences(before.get(name), now.get(name), f"{key}.{name}" if key else str(name))
    elif before != now:
        yield f"{key}: {before} -> {now}"


def declared(stage: str) -> tuple[list[str], dict[str, Any]]:
    """The paths that dvc.yaml says a stage reads, and the values of its parameters by key.

    Templates are filled in. Raises ParameterError for what is not there, or not understood.
    """
    entries = read_yaml(Path("dvc.yaml")).get("stages", {})
    name, _, key = stage.partition("@")
    if name not in entries:
        raise ParameterError(f"dvc.yaml has no stage {name}")
    values = read_yaml(Path("params.yaml"))
    entry = entries[name]
    context = {**values, "key": key, "item": _item(entry, key, values)} if key else values
    entry = entry.get("do", entry)
    paths = [fill(path, context) for path in entry.get("deps", ())]
    keys: list[str] = []
    for param in entry.get("params", ()):
        if isinstance(param, dict):  # another file of parameters: as a whole
            paths += param
        else:
            keys.append(fill(param, context))
    return paths, {key: value_of(values, key) for key in keys}


def _item(entry: dict[str, Any], key: str, values: dict[str, Any]) -> Any:
    """What `item` means in one of a foreach or matrix."""
    if "matrix" in entry:
        names, lists = list(entry["matrix"]), list(entry["matrix"].values())
        for choice in itertools.product(*lists):
            if "-".join(map(str, choice)) == key:
                return dict(zip(names, choice, strict=True))
    items = entry.get("foreach", ())
    if isinstance(items, str):
        items = value_of(values, items.removeprefix("${").removesuffix("}"))
    if isinstance(items, dict):
        return items.get(key)
    return next((item for item in items if str(item) == key), None)


@contextmanager
def unchanged() -> Iterator[None]:
    """While a stage is at work: ChangedError at its end if what it reads has changed since it began.

    Nothing is looked at where DVC has not started the stage: then nobody remembers its result.
    """
    stage = os.environ.get("DVC_STAGE", "").rpartition(":")[2]
    if not stage:
        yield
        return
    watch = _note(stage)
    done = threading.Event()

    def look() -> None:
        while not done.wait(2 * EVERY):
            watch.look()

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield
    finally:
        done.set()
        looking.join()
    watch.look(at_end=True)
    _refuse(watch)


def _note(stage: str) -> Watch:
    paths, _ = declared(stage)
    _check_stamps(paths)
    files = [Path(path).absolute() for path in (*paths, *stamped(paths))]
    sources = [Path("dvc.yaml"), Path("params.yaml")]
    watch = Watch(files, sources, lambda: _as_values(stage))
    for file in files:  # what is imported by now may be older than what lies there
        found = _signature(file) if file.suffix == ".py" else None
        if found and found[0] / 1e9 > processes.STARTED - CLOCK:
            watch.changes[_short(file, Path.cwd())] = None
    _refuse(watch)
    return watch


def stamped(paths: Iterable[str], root: Path | None = None) -> list[str]:
    """The files of code that the stamps among `paths` name; none of a stamp that is not there."""
    root = root or Path()
    texts = [root / path for path in paths if path.startswith(f"{stamps.FOLDER}/")]
    return [file for text in texts if text.is_file() for file in stamps.files(text.read_text())]


def _check_stamps(paths: Iterable[str]) -> None:
    """ChangedError if the code is not what its stamp says: DVC would take the result for the old code's."""
    values, read = read_yaml(Path("params.yaml")), stamps.reader(Path())
    for path in map(Path, paths):
        if path.parent == Path(stamps.FOLDER) and path.is_file():
            now = stamps.stamp(path.name, values, read)
            if changes := list(stamps.differences(path.read_text(), now)):
                more = f" and {len(changes) - NAMED} more" * (len(changes) > NAMED)
                raise ChangedError(f"{', '.join(changes[:NAMED])}{more} since this run began: run again")


def _as_values(stage: str) -> dict[str, Any]:
    paths, values = declared(stage)
    return {**values, "what dvc.yaml says it reads": paths}


def _refuse(watch: Watch) -> None:
    if watch.changes:
        raise ChangedError(f"{watch.told()} changed while it ran: its result is not kept; run again")
