"""What lies below a path: every file with its stat; what would be read for ever among them."""

import contextlib
import os
import stat
from collections.abc import Iterator

KINDS = {
    stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def entries(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """A file, or all folders and files below a folder, by name, each with the stat of what it leads to.

    As DVC walks: a link to a folder is followed at `path` alone, and what may not be read is left out, as is
    what goes away meanwhile. A broken link has its own stat.
    """
    if not os.path.isdir(path):
        with contextlib.suppress(OSError):
            yield path, _stat(path)
        return
    folders = [path]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as found:
            for entry in sorted(found, key=lambda entry: entry.name):
                with contextlib.suppress(OSError):
                    yield entry.path, _stat(entry)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)


def odd_files(path: str) -> Iterator[tuple[str, str]]:
    """What would be read for ever, at a path or in a folder, and what it is: links to such things too."""
    for name, seen in entries(path):
        if what := kind(seen):
            yield name, what


def kind(seen: os.stat_result) -> str:
    """What would be read for ever, in words; "" for a file, a folder, and a broken link."""
    return KINDS.get(stat.S_IFMT(seen.st_mode), "")


def _stat(path: str | os.PathLike[str]) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError:  # a broken link
        return os.lstat(path)
