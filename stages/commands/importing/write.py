"""The canonical folder: images/, labels.csv, classes.txt, and masks/, scribbles/, boxes.csv, points.csv."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.commands.importing.draw import Made, Work, draw
from stages.commands.importing.found import Found, Pictured
from stages.commands.importing.many import mapped
from stages.commands.importing.places import shared_folders
from stages.common.annotations import BOX_COLUMNS, POINT_COLUMNS
from stages.common.artifacts import csv_text, write_atomic
from stages.common.progress import track
from stages.dataset.check import check_coverage, check_labels, check_names
from stages.dataset.files import stem
from stages.dataset.labels import check_count
from stages.dataset.records import Record, Source
from stages.dataset.sources.folder import ABOUT

CHUNK = 200  # pictures whose masks are in memory at a time


@dataclass
class Written:
    """How much of what the folder holds."""

    pictures: int = 0
    copied: int = 0
    masks: int = 0
    unmasked: int = 0
    boxes: int = 0
    points: int = 0
    scribbles: int = 0


def inner_names(pictures: Sequence[Pictured]) -> dict[str, str]:
    """The path in images/ of each file: its own, without the folders that all have in common."""
    common = shared_folders(picture.file for picture in pictures)
    return {picture.file: "/".join(picture.file.split("/")[common:]) for picture in pictures}


def check(found: Found, root: Path, names: dict[str, str]) -> None:
    """Add to the problems what the step `dataset` would refuse without opening a picture."""
    check_count(found.classes, str(root))
    times = Counter(picture.file for picture in found.pictures)
    found.problems += [(file, f"is there {count} times") for file, count in times.items() if count > 1]
    once = {picture.file: picture for picture in found.pictures}.values()
    records = [
        Record(identifier(names[p.file]), root / p.file, p.split, tuple(sorted(p.labels)), None) for p in once
    ]
    found.problems += check_names(records)
    source = Source(found.classes, root, root, records, partial=bool(found.problems))
    found.problems += [*check_labels(source, records), *check_coverage(source, records)]


def identifier(name: str) -> str:
    return stem(name).replace("/", "__")


def link_name(out: Path) -> str:
    """A name for `wsss link`, of the folder's."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", out.name).lstrip("-._") or "my-pictures"


def write(found: Found, root: Path, folder: Path, names: dict[str, str], copy: bool) -> Written:
    """Fill `folder`, and add what is odd about pictures to `found`. With a problem the folder is useless."""
    written = Written(len(found.pictures))
    pictures = sorted(found.pictures, key=lambda picture: names[picture.file])
    classes, masked = tuple(found.classes), any(t.area for p in pictures for t in p.things)
    works = [Work(picture, root / picture.file, classes, masked, found.table) for picture in pictures]
    boxes: list[Sequence[object]] = []
    points: list[Sequence[object]] = []
    with mapped(draw, len(works)) as draw_all:
        groups = (works[at : at + CHUNK] for at in range(0, len(works), CHUNK))
        drawn = ((work, made) for group in groups for work, made in zip(group, draw_all(group), strict=True))
        for work, made in track(drawn, len(works), "drawing"):
            name = names[work.picture.file]
            found.problems += [(work.picture.file, text) for text in made.problems]
            found.remarks += [(work.picture.file, text) for text in dict.fromkeys(made.remarks)]
            if found.problems:
                continue
            written.copied += _place(work.path, folder / "images" / name, copy)
            _put(made, folder, identifier(name), written)
            written.unmasked += (masked or found.table is not None) and made.mask is None
            boxes += [[name, number, label, *map(_text, sides)] for number, label, sides in made.boxes]
            points += [[name, number, label, *map(_text, spot)] for number, label, spot in made.points]
    written.boxes, written.points = len(boxes), len(points)
    if not found.problems:
        _lists(found, folder, pictures, names)
        for file, columns, rows in (("boxes", BOX_COLUMNS, boxes), ("points", POINT_COLUMNS, points)):
            if rows:
                write_atomic(folder / f"{file}.csv", csv_text([columns, *rows]))
    return written


def _put(made: Made, folder: Path, name: str, written: Written) -> None:
    for place, content in (("masks", made.mask), ("scribbles", made.scribble)):
        if content is not None:
            (folder / place).mkdir(exist_ok=True)
            (folder / place / f"{name}.png").write_bytes(content)
    written.masks += made.mask is not None
    written.scribbles += made.scribble is not None


def _lists(found: Found, folder: Path, pictures: Sequence[Pictured], names: dict[str, str]) -> None:
    rows = [
        [names[p.file], p.split, ";".join(name for name in found.classes if name in p.labels)]
        for p in pictures
    ]
    write_atomic(folder / "labels.csv", csv_text([["file", "split", "labels"], *rows]))
    write_atomic(folder / "classes.txt", "".join(f"{name}\n" for name in found.classes))
    if found.about:
        write_atomic(folder / ABOUT, "".join(f"{line}\n" for line in found.about))


def _place(file: Path, target: Path, copy: bool) -> bool:
    """A hard link, or a copy where that is asked for or the file system has none. Returns whether a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not copy:
        try:
            os.link(os.path.realpath(file), target)
            return False
        except OSError:  # another file system, or somebody else's file
            pass
    shutil.copyfile(file, target)
    return True


def _text(value: float) -> str:
    return f"{value:.10g}"
