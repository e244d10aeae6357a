"""What lies below a path: every file with its stat; what would be read for ever among them."""

import os
import stat
from collections.abc import Iterator

KINDS = {
    stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def entries(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """A file, or all folders and files below a folder, by name, each with the stat of what it leads to.

    As DVC walks: a link to a folder is followed at `path` alone. A broken link has its own stat. What goes
    away meanwhile is left out.
    """
    if not os.path.isdir(path):
        if os.path.lexists(path):
            yield path, _stat(path)
        return
    folders = [path]
    while folders:
        with os.scandir(folders.pop()) as found:
            rows = sorted(found, key=lambda entry: entry.name)
        for entry in rows:
            try:
                yield entry.path, entry.stat()
            except OSError:
                if not os.path.lexists(entry.path):
                    continue
                yield entry.path, entry.stat(follow_symlinks=False)
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


def _stat(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError:
        return os.lstat(path)
