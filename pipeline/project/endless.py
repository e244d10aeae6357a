"""What would be read for ever among the files of a data set: FIFOs, sockets, devices."""

import os
import stat
from collections.abc import Iterator

KINDS = {
    stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def odd_files(path: str) -> Iterator[tuple[str, str]]:
    """What would be read for ever, at a path or in a folder, and what it is: links to such things too."""
    names = [path]
    if os.path.isdir(path):
        names = [os.path.join(place, name) for place, _, files in os.walk(path) for name in files]
    for name in names:
        if what := _kind(name):
            yield name, what


def _kind(path: str) -> str:
    """What a path is, in words; "" for a file, a folder, and what is not there."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return ""
    return KINDS.get(stat.S_IFMT(mode), "")
