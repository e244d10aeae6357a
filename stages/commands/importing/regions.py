"""`wsss import regions`: what SAM wrote, as a folder of regions that `pseudo_labels.merge: masks` reads.

Regions belong to pictures of a set that is there already: there is nothing of classes, splits or pictures to
write, so this is no format of `found.py`. A picture's file is ID.json (stages/pseudo_labels/region_file.py).
"""

import argparse
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from stages.commands.importing import sam
from stages.commands.importing.many import mapped
from stages.commands.importing.places import Places
from stages.commands.importing.sizes import upright_size
from stages.commands.importing.write import identifier, link_name
from stages.common.artifacts import output_folder
from stages.common.door import visible
from stages.common.progress import track
from stages.dataset.check import Problems, unsafe
from stages.dataset.files import stem
from stages.dataset.words import explain, lines
from stages.pseudo_labels import region_file

OTHERS = ("val", "classes", "none", "copy")  # options of `wsss import` that are of data sets
REMARKS = 20  # lines


class Task(NamedTuple):
    id: str
    source: Path
    picture: Path | None


class Made(NamedTuple):
    content: bytes
    masks: int
    problem: str  # or an empty text


def main(words: argparse.Namespace) -> int:
    """Exit status 0. ValueError, and nothing is written, if anything cannot be read or told."""
    _check(words)
    problems: Problems = []
    remarks: Problems = []
    tasks = _tasks(_sources(words.path), words.pictures, problems, remarks)
    counts = []
    with output_folder(words.out) as folder:
        with mapped(convert, len(tasks)) as convert_all:
            for task, made in zip(tasks, track(convert_all(tasks), len(tasks), "regions"), strict=True):
                if made.problem:
                    problems.append((str(task.source), made.problem))
                    continue
                (folder / f"{task.id}.json").write_bytes(made.content)
                counts.append(made.masks)
        if problems:
            raise ValueError(explain(words.path, problems, False))
    _say(words, counts, remarks)
    return 0


def convert(task: Task) -> Made:
    """The content of a picture's file."""
    try:
        masks = sam.read(task.source)
        size = upright_size(task.picture)[::-1] if task.picture else masks.size
        if size is None:
            raise ValueError("holds no mask that would tell the picture's size: name --pictures")
        if masks.size not in (None, size):
            (height, width), (high, wide) = masks.size or (0, 0), size
            raise ValueError(f"its masks are of {width}x{height} pixels, the picture has {wide}x{high}")
    except ValueError as error:
        return Made(b"", 0, str(error).removeprefix(f"{task.source}: "))
    return Made(region_file.write(size, masks.runs), len(masks.runs), "")


def _check(words: argparse.Namespace) -> None:
    for option in OTHERS:
        if getattr(words, option):
            raise ValueError(f"--{option} is of data sets, and regions are none: leave it out")
    if not words.path.exists():
        raise ValueError(f"{words.path} is missing")
    if words.pictures is not None and not words.pictures.is_dir():
        raise ValueError(f"--pictures {words.pictures} is no folder")
    if words.path in (words.out, *words.out.parents):
        raise ValueError(f"{words.out} lies in {words.path}: the next import would read it, too")


def _sources(path: Path) -> list[Path]:
    """Folders of masks and JSON files, by path. ValueError for none."""
    found = [path] if path.is_file() else sorted(_walked(path))
    if not found:
        raise ValueError(f"{path}: neither a folder with {sam.TABLE} or 0.png nor a JSON file is there")
    return found


def _walked(path: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if sam.is_folder(Path(place)):
            yield Path(place)
            folders.clear()
            continue
        yield from (Path(place, name) for name in files if name.endswith(".json") and name[0] != ".")


def _tasks(sources: list[Path], pictures: Path | None, problems: Problems, remarks: Problems) -> list[Task]:
    """What is to be converted, by the pictures' identifiers; the names of sources are those of pictures."""
    names = _by_name(pictures) if pictures else {}
    found: dict[str, Task] = {}
    for source in sources:
        name = source.name if source.is_dir() else source.stem
        fits = names.get(name, [])
        if len(fits) > 1:
            problems.append((str(source), f"is the name of several pictures: {' and '.join(fits)}"))
        elif pictures and not fits:
            remarks.append((str(source), "is of no picture in --pictures: left out"))
        else:
            task = Task(
                identifier(fits[0]) if fits else name, source, pictures / fits[0] if pictures else None
            )
            if why := unsafe(task.id):
                problems.append((str(source), why))
            elif task.id in found:
                problems.append((str(source), f"is of the same picture as {found[task.id].source}"))
            found[task.id] = task
    lacking = [fits[0] for name, fits in names.items() if identifier(fits[0]) not in found]
    remarks += [(file, "without regions") for file in dict.fromkeys(lacking)]
    return list(found.values())


def _by_name(pictures: Path) -> dict[str, list[str]]:
    """The pictures of each name that a source may have: their identifier, or the file's name alone."""
    names: dict[str, list[str]] = defaultdict(list)
    for file in Places(pictures).all:
        for name in dict.fromkeys((identifier(file), stem(file.rpartition("/")[2]))):
            names[name].append(file)
    return names


def _say(words: argparse.Namespace, counts: list[int], remarks: Problems) -> None:
    """What was made, what is odd about it, and what to do next."""
    many = f"{min(counts)} to {max(counts)} of a picture" if counts else "none"
    print(visible(f"{words.out}: regions of {len(counts)} pictures, {sum(counts)} masks, {many}"))
    told = lines(words.pictures or words.path, remarks)
    for line in told[:REMARKS]:
        print(f"  note: {line}")
    if len(told) > REMARKS:
        print(f"  note: ... and {len(told) - REMARKS} more")
    name = link_name(words.out)
    print("next:")
    print(visible(f"  wsss link {name} {words.out}"))
    print(visible(f"and in params.yaml, pseudo_labels: merge: masks, regions: raw/{name}"))
