"""ImageFolder: a folder per class, PATH/cat/a.jpg, or PATH/train/cat/a.jpg and PATH/val/dog/b.jpg.

A picture that lies in the folders of several classes, equal byte by byte, has several labels. Folders below
that of a class do not count.
"""

import hashlib
from collections import defaultdict
from pathlib import Path

from stages.commands.importing.found import BACKGROUND, Asked, Found, Names, Pictured
from stages.commands.importing.places import folder_splits


def read(asked: Asked) -> Found:
    found, root = Found(), asked.path
    if root != asked.places.root:
        raise ValueError(
            "--pictures: of imagefolder PATH is the folder of the pictures: leave the option out"
        )
    names = Names(asked, found, "")
    splits = folder_splits(asked.places.all)
    depth = 1 if splits and all(file.count("/") > 1 for file in splits) else 0
    splits = splits if depth else {}
    groups: dict[tuple[str, str], list[Pictured]] = defaultdict(list)
    contents = _contents(root, asked.places.all)
    for file in asked.places.all:
        parts, split = file.split("/"), splits.get(file, "")
        if split == "test":
            found.remarks.append((file, "is of the split test: left out"))
        elif len(parts) < depth + 2:
            found.problems.append((file, "lies in no folder of a class"))
        elif name := names.use(parts[depth], file):
            groups[split, contents[file]].append(Pictured(file, file, split, labels={name} - {BACKGROUND}))
    for same in groups.values():
        first, *others = sorted(same, key=lambda picture: picture.file)
        for other in others:
            first.labels |= other.labels
            found.remarks.append((other.file, "has the bytes of a picture before it: they are one"))
        found.pictures.append(first)
    names.finish()
    return found


def _contents(root: Path, files: list[str]) -> dict[str, str]:
    """What is equal for equal files. Only files of one size are read."""
    sizes: dict[int, list[str]] = defaultdict(list)
    for file in files:
        sizes[(root / file).stat().st_size].append(file)
    found = {}
    for same in sizes.values():
        for file in same:
            alone = len(same) == 1
            found[file] = file if alone else hashlib.sha256((root / file).read_bytes()).hexdigest()
    return found
