"""Which pictures were asked for, and under which names their results are kept."""

import glob
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from stages.dataset.files import SUFFIXES

VIDEOS = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"}


def find(asked: Sequence[str | Path]) -> list[Path]:
    """The files that were asked for, and of folders among them all pictures inside, sorted; each once.

    A pattern that the shell left as it is, since it was quoted, is filled in here. A file that is named is
    taken whatever its suffix, also if there is none: who asked for it, is told.
    """
    found: dict[Path, None] = {}
    for path in _filled(asked):
        for file in _inside(path) if os.path.isdir(path) else [path]:
            if file == path or file.suffix.lower() in SUFFIXES:
                found[file if is_address(str(file)) else Path(os.path.abspath(file))] = None
    return list(found)


def skipped(asked: Sequence[str | Path]) -> list[Path]:
    """The files in folders that are no pictures by their suffix."""
    folders = [path for path in _filled(asked) if os.path.isdir(path)]
    return [f for folder in folders for f in _inside(folder) if f.suffix.lower() not in SUFFIXES]


def problem(file: Path) -> str:
    """What is wrong with a file as it lies there, unread; empty if nothing is."""
    if is_address(str(file)):
        return "an address: download the picture, then name its file"
    if not os.path.exists(file):  # unlike Path's, also of a name that is too long
        pattern = any(sign in str(file) for sign in "*?[")
        return "no file fits the pattern" if pattern else "No such file or directory"
    if not file.is_file():
        return "a FIFO, a device or a socket, no picture"
    if file.suffix.lower() in VIDEOS:
        return "a video: take pictures from it first, e.g. ffmpeg -i VIDEO -vf fps=1 frames/%05d.png"
    return ""


def is_address(text: str) -> bool:
    """Also where a path's normalisation has eaten a slash."""
    return re.match("[a-zA-Z][a-zA-Z0-9+.-]+:/", text) is not None


def _filled(asked: Sequence[str | Path]) -> list[Path]:
    paths = []
    for text in map(str, asked):
        matches = [] if os.path.lexists(text) or is_address(text) else sorted(glob.glob(text, recursive=True))
        paths += [Path(match) for match in matches] or [Path(text)]
    return paths


def _inside(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.rglob("*")) if file.is_file() and not _hidden(file, folder)]


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def names(files: list[Path]) -> list[str]:
    """A name for each of different `files`: a.jpg is `a`; where two are alike, `cats-a` and `dogs-a`.

    Those that still are alike take their suffix, then one more folder, and so on. Case does not count,
    since some file systems ignore it.
    """
    taken = [0] * len(files)
    while True:
        found = [_name(file, level) for file, level in zip(files, taken, strict=True)]
        times = Counter(name.lower() for name in found)
        double = [index for index, name in enumerate(found) if times[name.lower()] > 1]
        if not double:
            return found
        if all(taken[index] > len(files[index].parts) for index in double):  # a-b/c.jpg and a/b-c.jpg
            return [f"{number:06}-{file.stem}" for number, file in enumerate(files)]
        for index in double:
            taken[index] += 1


def _name(file: Path, level: int) -> str:
    parts = [part for part in file.parts[:-1] if part != file.anchor]
    folders = parts[len(parts) - min(level if level < 2 else level - 1, len(parts)) :]
    return "-".join([*folders, file.stem if level < 2 else file.name])
