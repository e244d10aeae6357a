"""Turn what people have into the folder that `source: folder` reads: `python -m stages.commands.importing`.

Or into one of regions, for a set that is there (regions.py).

The folder appears when all is done and nothing is wrong. Equal sources give equal bytes.
"""

import argparse
import importlib
from collections import Counter
from pathlib import Path

from stages.commands.importing import regions
from stages.commands.importing.found import Asked, Found
from stages.commands.importing.places import Places
from stages.commands.importing.split import drawn
from stages.commands.importing.write import Written, check, inner_names, link_name, write
from stages.common import command
from stages.common.artifacts import output_folder
from stages.common.door import visible
from stages.dataset.labels import fold
from stages.dataset.records import read_classes
from stages.dataset.words import class_counts, classes_line, explain, lines

FORMATS = (
    "coco", "yolo", "cvat", "labelme", "label-studio", "voc", "imagefolder", "onehot", "masks",
)  # fmt: skip
REGIONS = "regions"  # no data set: of pictures of one
SHARE = 0.2  # of a class that goes to val where nothing else is asked for
REMARKS = 20  # lines
MANY_WITHOUT = 0.2  # of the pictures show no class: of what is sound and what is not


def main(arguments: list[str]) -> int:
    """Exit status 0. ValueError, and nothing is written, if anything cannot be read or told."""
    words = _parse(arguments)
    if words.format == REGIONS:
        return regions.main(words)
    asked = _asked(words)
    name = words.format.replace("-", "_")
    found: Found = importlib.import_module(f"stages.commands.importing.formats.{name}").read(asked)
    found.without_test()
    root = asked.places.root
    found.remarks += [(file, "was found by its name alone") for file in asked.places.by_name]
    names = inner_names(found.pictures)
    if not found.problems:
        _split(found, names, words.val)
        check(found, root, names)
    with output_folder(words.out) as folder:
        written = write(found, root, folder, names, words.copy)
        if found.problems:
            raise ValueError(explain(asked.folder, found.problems, False))
    _say(words.out, found, asked, written)
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="wsss import")
    parser.add_argument("format")
    parser.add_argument("path", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--val", type=float)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--classes", type=Path)
    parser.add_argument("--colours", type=Path)
    parser.add_argument("--threshold", type=int)
    parser.add_argument("--none", action="append", default=[])
    parser.add_argument("--copy", action="store_true")
    words = parser.parse_args(arguments)
    if words.format not in (*FORMATS, REGIONS):
        raise ValueError(f"format {words.format!r}: there are {', '.join((*FORMATS, REGIONS))}")
    if words.val is not None and not 0 < words.val < 1:
        raise ValueError(f"--val {words.val:g}: a share between 0 and 1, such as 0.2")
    if words.out.exists() and (not words.out.is_dir() or any(words.out.iterdir())):
        raise ValueError(f"{words.out} is there already: name a new folder, sets are never mixed")
    for option in ("colours", "threshold"):
        if getattr(words, option) is not None and words.format != "masks":
            raise ValueError(f"--{option} is of the format masks only")
    return words


def _asked(words: argparse.Namespace) -> Asked:
    path = Path(words.path)
    if not path.exists():
        raise ValueError(f"{path} is missing")
    root = words.pictures or (path if path.is_dir() else path.parent)
    if not root.is_dir():
        raise ValueError(f"--pictures {root} is no folder")
    if root in words.out.parents or root == words.out:
        raise ValueError(
            f"{words.out} lies in the folder of the pictures: the next import would read it, too"
        )
    classes = read_classes(words.classes) if words.classes else None
    none = frozenset(fold(name) for name in words.none)
    return Asked(path, Places(root), classes, words.colours, words.threshold, none)


def _split(found: Found, names: dict[str, str], share: float | None) -> None:
    """Draw a split where the source has none; a source of train alone, or of val alone, has none."""
    said = {picture.split for picture in found.pictures}
    if "" in said and len(said) > 1:
        unsaid = [(picture.where, "its split is not said, that of others is") for picture in found.pictures
                  if not picture.split]  # fmt: skip
        found.problems += unsaid
        return
    if {"train", "val"} <= said:
        if share is not None:
            raise ValueError(f"--val {share:g}: the source has its own split: leave the option out")
        return
    if not found.pictures:
        found.problems.append(("pictures", "none is there"))
    only = "".join(said)
    how = f"all pictures are {only}: " if only else "no split is named: "
    text = f"{how}{share or SHARE:g} of each class is drawn as val, by a hash of the names"
    found.remarks.append(("split", text))
    val = drawn({names[p.file]: frozenset(p.labels) for p in found.pictures}, share or SHARE)
    for picture in found.pictures:
        picture.split = "val" if names[picture.file] in val else "train"


def _say(out: Path, found: Found, asked: Asked, written: Written) -> None:
    """What was made, what is odd about it, and what to do next."""
    splits = Counter(picture.split for picture in found.pictures)
    parts = [f"{splits['train']} train and {splits['val']} val pictures", f"{len(found.classes)} classes"]
    for count, name in (
        (written.masks, "masks"), (written.boxes, "boxes"), (written.points, "points"),
        (written.scribbles, "scribbles"),
    ):  # fmt: skip
        parts += [f"{count} {name}"] if count else []
    without = sum(not picture.labels for picture in found.pictures)
    parts += [f"{without} without a class"] * (without > 0)
    links = written.pictures - written.copied
    how = [f"{links} hard links"] * (links > 0) + [f"{written.copied} copies"] * (written.copied > 0)
    print(visible(f"{out}: {', '.join(parts)}; the pictures are {' and '.join(how)}"))
    counts = class_counts(found.classes, [(p.split, p.labels) for p in found.pictures])
    print(f"  {classes_line(counts)}")
    remarks = lines(asked.folder, found.remarks)
    if written.unmasked:
        text = f"{written.unmasked} pictures have no mask: not all that they show is drawn as an area"
        remarks.append(text)
    for line in remarks[:REMARKS]:
        print(f"  note: {line}")
    if len(remarks) > REMARKS:
        print(f"  note: ... and {len(remarks) - REMARKS} more")
    print("\n".join(f"  about: {line}" for line in found.about) or "", end="\n" * bool(found.about))
    name = link_name(out)
    preset = _preset(written, without / len(found.pictures))
    truth = "available" if written.masks else "none"
    print("next:")
    print(f"  wsss link {name} {out}")
    print(f"  wsss preset {preset}    # or another: `wsss preset` lists them")
    print(f"and in params.yaml, dataset: source: folder, name: {name}, truth: {truth}; generate: of: []")


def _preset(written: Written, without: float) -> str:
    """The recipe for such photographs; `without` is the share of them that show no class."""
    if written.boxes:
        return "voc-mobilenet-boxes"
    return "defects-mobilenet" if without > MANY_WITHOUT else "voc-mobilenet"


if __name__ == "__main__":
    command.run("stages.commands.importing.__main__")
