"""Files that somebody else made: opened only if they are files, and found under every form of their names."""

import os
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".webp",
    ".ppm", ".pgm", ".pbm", ".pnm",
)  # fmt: skip
MOST_TEXT = 256 << 20  # bytes of a list: a CSV of a million pictures has some 60 MB

KINDS = {
    stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def read_file(path: Path, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes.

    FileNotFoundError where there is none. ValueError for anything else, before it is opened: a FIFO
    would be waited for, and a device read, for ever.
    """
    try:
        status = path.stat()
        if kind := KINDS.get(stat.S_IFMT(status.st_mode)):
            raise ValueError(f"cannot be read: it is {kind}, not a file")
        if status.st_size > most:
            raise ValueError(f"has {_size(status.st_size)}: more than {_size(most)} are not read")
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None


def stem(name: str) -> str:
    """A path without the suffix of a picture: v1.0/pic1 and v1.0/pic1.jpg are both v1.0/pic1."""
    base, dot, suffix = name.rpartition(".")
    return base if dot + suffix.lower() in SUFFIXES and base.rpartition("/")[2] else name


class Finder:
    """The files below a folder, by relative path: whatever the Unicode form or the case of a listed name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, name: str) -> list[str]:
        """The file meant by `name`; none, or several where it cannot be told which.

        In this order: the name as it is, in another Unicode form (a Mac decomposes names), in another
        case, and where it has no suffix, with the suffix of a picture.
        """
        if _exists(self.folder / name):
            return [name]
        if ".." in name.split("/") or name.startswith("/"):
            return []
        near = self._by_stem[_key(stem(name))]
        for form in (_composed, _key):
            if same := [file for file in near if form(file) == form(name)]:
                return same
        if stem(name) == name:
            return [file for file in near if _composed(stem(file)) == _composed(name)] or near
        return []

    def hint(self, name: str) -> str:
        """Where a file lies that could be meant by a name of which there is none; or an empty text."""
        for file in self._by_stem[_key(stem(name))]:
            return f", but one with the suffix {Path(file).suffix} is there"
        for file in self._by_name[_key(name.replace("\\", "/").rpartition("/")[2])]:
            return f", but one of that name lies in {self.folder.name}/{file.rpartition('/')[0]}"
        return ""

    @cached_property
    def all(self) -> list[str]:
        found = []
        for place, folders, files in os.walk(self.folder):
            folders.sort()
            inside = Path(place).relative_to(self.folder)
            found += [(inside / file).as_posix() for file in sorted(files)]
        return found

    @cached_property
    def _by_stem(self) -> defaultdict[str, list[str]]:
        return _group((_key(stem(file)), file) for file in self.all)

    @cached_property
    def _by_name(self) -> defaultdict[str, list[str]]:
        return _group((_key(file.rpartition("/")[2]), file) for file in self.all)


def _group(pairs: Iterable[tuple[str, str]]) -> defaultdict[str, list[str]]:
    groups = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _key(name: str) -> str:
    return _composed(_composed(name).casefold())


def _exists(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:  # a NUL in the name
        return False


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
