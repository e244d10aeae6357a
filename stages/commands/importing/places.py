"""Where the pictures of a source lie: the file that an annotation means."""

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

from stages.dataset.files import SUFFIXES
from stages.dataset.words import few

TRAIN = {"train", "training"}
VAL = {"val", "valid", "validation", "dev"}
TEST = {"test", "testing"}


class Places:
    """All pictures below a folder, by path. Hidden files and folders are none."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.by_name: list[str] = []  # files that were found by their names alone

    @cached_property
    def all(self) -> list[str]:
        files = list(_walked(self.root))
        shown = [
            file for file in files if not any(part.startswith((".", "__MACOSX")) for part in file.split("/"))
        ]
        return [file for file in shown if PurePosixPath(file).suffix.lower() in SUFFIXES]

    @cached_property
    def _by_key(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = defaultdict(list)
        for file in self.all:
            groups[_key(file.rpartition("/")[2])].append(file)
        return groups

    @cached_property
    def _known(self) -> dict[str, str]:
        return {unicodedata.normalize("NFC", file): file for file in self.all}

    def find(self, written: str, beside: Path, split: str = "") -> str:
        """The picture of a path as an annotation in the folder `beside` writes it.

        In this order: from `beside`, from the root, the one file whose path ends so, the one of that name; of
        several the one in a folder of the split. ValueError where there is none, or several, or it lies
        outside of the root.
        """
        path = written.replace("\\", "/").strip()
        outside = False
        for start in dict.fromkeys((beside, self.root)):
            place = self._inside(start, path)
            outside |= place is None
            if place is not None and place in self._known:
                return self._known[place]
        if outside and ".." in path.split("/"):
            raise ValueError(f"picture {written!r} would lie outside of {self.root}: set --pictures")
        name = path.rpartition("/")[2]
        same = self._by_key.get(_key(name), [])
        ends = [file for file in same if f"/{file}".endswith(f"/{path.lstrip('./')}")]
        found = ends or same
        if len(found) > 1 and split:
            found = [file for file in found if split in map(split_word, file.split("/")[:-1])] or found
        if len(found) == 1:
            self.by_name += [] if ends else found
            return found[0]
        if found:
            raise ValueError(f"picture {written!r} could be {few(found)}: their names do not tell")
        if PurePosixPath(name).suffix.lower() not in SUFFIXES:
            raise ValueError(f"picture {written!r} is of no format that is read ({' '.join(SUFFIXES)})")
        raise ValueError(f"picture {written!r} is missing in {self.root}")

    def base(self, names: Iterable[str], otherwise: Path) -> Path:
        """The folder below which most of the listed names lie, if it is one; as a place for `find`."""
        counts: Counter[str] = Counter()
        for name in names:
            plain = name.replace("\\", "/").lstrip("./")
            same = self._by_key.get(_key(plain.rpartition("/")[2]), [])
            counts.update(file[: -len(plain)] for file in same if f"/{file}".endswith(f"/{plain}"))
        (first, most), (_, second) = (*counts.most_common(2), ("", 0), ("", 0))[:2]
        return self.root / first if most > second else otherwise

    def _inside(self, start: Path, path: str) -> str | None:
        """The path from the root, without `..`; None outside of it."""
        parts: list[str] = []
        try:
            whole = [*start.relative_to(self.root).parts, *path.split("/")]
        except ValueError:  # annotations that lie elsewhere
            whole = path.split("/")
        if path.startswith("/"):
            return None
        for part in whole:
            if part == ".." and not parts:
                return None
            if part == "..":
                parts.pop()
            elif part not in ("", "."):
                parts.append(part)
        return unicodedata.normalize("NFC", "/".join(parts))


def one_file(path: Path, pattern: str) -> Path:
    """PATH itself, or the file in that folder that the pattern fits. ValueError for none, and for several."""
    if path.is_file():
        return path
    files = sorted(path.glob(pattern))
    if len(files) != 1:
        kind = pattern.rpartition(".")[2].upper()
        raise ValueError(f"{path} has {len(files)} {kind} files: give the one that is meant as PATH")
    return files[0]


def split_word(word: str) -> str:
    """train, val or test of the name of a folder, a file or a field, as train2017; or an empty text."""
    plain = word.casefold().strip("0123456789_-. ")
    return "train" if plain in TRAIN else "val" if plain in VAL else "test" if plain in TEST else ""


def _walked(root: Path) -> Iterator[str]:
    """All files below a folder, sorted. Links to folders are followed, each once: they may go round."""
    seen = set()
    for place, folders, files in os.walk(root, followlinks=True):
        here = os.path.realpath(place)
        if here in seen:
            folders.clear()
            continue
        seen.add(here)
        folders.sort()
        inside = Path(place).relative_to(root)
        yield from ((inside / file).as_posix() for file in sorted(files))


def shared_folders(files: Iterable[str]) -> int:
    """How many folders all paths begin with."""
    folders = [file.split("/")[:-1] for file in files]
    return next((at for at, parts in enumerate(zip(*folders, strict=False)) if len(set(parts)) > 1),
                min(map(len, folders), default=0))  # fmt: skip


def folder_splits(files: Iterable[str]) -> dict[str, str]:
    """train, val or test of each file, if the first folders in which paths differ all say one; or {}."""
    parts = {file: file.split("/") for file in files}
    depth = shared_folders(parts)
    found = {file: split_word(path[depth]) if depth < len(path) - 1 else "" for file, path in parts.items()}
    return found if all(found.values()) else {}


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
