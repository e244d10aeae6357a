"""Which pictures were asked for, and under which names their results are kept."""

import os
from collections import Counter
from pathlib import Path

SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm",
}  # fmt: skip


def find(paths: list[Path]) -> list[Path]:
    """The files of `paths`, and of folders among them all pictures inside, sorted; each once.

    A file that is named is taken whatever its suffix, also if there is none: who asked for it, is told.
    ValueError for what is no file, and might be read for ever.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.exists() and not path.is_dir() and not path.is_file():
            raise ValueError(f"{path} is a FIFO, a device or a socket, no picture: leave it out")
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in inside:
            if file == path or (
                file.suffix.lower() in SUFFIXES and file.is_file() and not _hidden(file, path)
            ):
                found[Path(os.path.abspath(file))] = None
    return list(found)


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
