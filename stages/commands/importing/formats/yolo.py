"""YOLO: a text file per picture, of boxes or outlines, in shares of its width and height.

PATH is a folder with data.yaml (names, train, val), or that file; or a folder with classes.txt. The file of
images/a.jpg is labels/a.txt, or a.txt beside it. Five numbers in a line are a box (class, centre, size),
seven or more an outline (class, x, y, x, y, ...): https://docs.ultralytics.com/datasets/segment
"""

from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML, YAMLError

from stages.commands.importing.found import BACKGROUND, Asked, Found, Names, Pictured, Thing
from stages.commands.importing.places import folder_splits
from stages.commands.importing.sizes import upright_size
from stages.common.params import problem_of
from stages.dataset.areas import Polygons
from stages.dataset.fields import number, short, spots
from stages.dataset.files import stem
from stages.dataset.records import read_text

LISTS = ("classes.txt", "obj.names")
OUT = 1e-3  # by which rounding may leave 0..1


def read(asked: Asked) -> Found:
    found, root = Found(), asked.places.root
    file, settings = _settings(asked.path)
    listed = _names(file, settings)
    names = Names(asked, found, file.name, listed)
    splits = _splits(settings, file, asked, found) if "train" in settings else {}
    if not splits:
        splits = dict.fromkeys(asked.places.all, "") | folder_splits(asked.places.all)
    texts = {
        p.relative_to(root).as_posix() for p in root.rglob("*.txt") if "labels" in p.relative_to(root).parts
    }
    for picture_file, split in splits.items():
        text = _text(picture_file, root)
        texts.discard(text)
        if split == "test":
            found.remarks.append((picture_file, "is of the split test: left out"))
            continue
        picture = Pictured(picture_file, text, split)
        found.pictures.append(picture)
        if not (root / text).is_file():
            found.remarks.append((picture_file, "has no file of labels: without any class, as YOLO reads it"))
            continue
        _things(root / text, picture, listed, names, root, found)
    if not splits:
        found.problems.append((str(root), "no picture is there"))
    outside = set(asked.places.all) - set(splits)
    kept = {_text(each, root) for each in outside}
    found.remarks += [(each, f"is in no split of {file.name}: left out") for each in sorted(outside)]
    found.problems += [(text, "belongs to no picture: that is missing") for text in sorted(texts - kept)]
    names.finish()
    return found


def _settings(path: Path) -> tuple[Path, dict[str, Any]]:
    """data.yaml and what it says, or the list of names and nothing."""
    files = [path] if path.is_file() else sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
    if len(files) > 1:
        raise ValueError(f"{path} has {len(files)} YAML files: give the one that is meant as PATH")
    if not files:
        lists = [path / name for name in LISTS if (path / name).is_file()]
        if not lists:
            raise ValueError(f"{path} has neither data.yaml nor classes.txt: the classes have no names")
        return lists[0], {}
    try:
        text = read_text(files[0])
        settings = YAML(typ="safe").load(text)
    except YAMLError as error:
        raise ValueError(f"{files[0]}: no YAML: {problem_of(error, text)}") from None
    if not isinstance(settings, dict) or "names" not in settings:
        raise ValueError(f"{files[0]}: 'names' is missing, the list of the classes")
    return files[0], settings


def _names(file: Path, settings: dict[str, Any]) -> list[str]:
    if not settings:
        return read_text(file).rstrip().split("\n")
    names = settings["names"]
    if isinstance(names, dict):
        if sorted(names) != list(range(len(names))):
            raise ValueError(
                f"{file}: 'names' has the numbers {short(sorted(names))}, not 0 to {len(names) - 1}"
            )
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list) or not names:
        raise ValueError(f"{file}: 'names' is {short(names)}, no list")
    return list(map(str, names))


def _splits(settings: dict[str, Any], file: Path, asked: Asked, found: Found) -> dict[str, str]:
    """The split of each picture that data.yaml names, by folders or lists."""
    splits: dict[str, str] = {}
    for split in ("train", "val", "test"):
        entries = settings.get(split) or []
        for entry in entries if isinstance(entries, list) else [entries]:
            for picture in _listed(str(entry), str(settings.get("path") or ""), file, asked, found):
                if splits.setdefault(picture, split) != split:
                    found.problems.append((picture, f"is in {splits[picture]} and in {split} of {file.name}"))
    return splits


def _listed(entry: str, base: str, file: Path, asked: Asked, found: Found) -> list[str]:
    """The pictures of a folder, or of a list, that data.yaml names."""
    root = asked.places.root
    places = [file.parent / base / entry, file.parent / entry]
    while entry.startswith("../"):  # Roboflow writes it of folders beside data.yaml
        entry = entry[3:]
    place = next((p for p in [*places, file.parent / entry] if p.exists() and _below(p, root)), None)
    if place is None:
        found.problems.append((str(file), f"{entry} is not there, or outside of {root}"))
        return []
    inside = place.resolve().relative_to(root.resolve()).as_posix()
    if place.is_dir():
        return [name for name in asked.places.all if inside == "." or name.startswith(f"{inside}/")]
    pictures = []
    for line in filter(None, map(str.strip, read_text(place).split("\n"))):
        try:
            pictures.append(asked.places.find(line, place.parent))
        except ValueError as error:
            found.problems.append((str(place), str(error)))
    return pictures


def _below(place: Path, root: Path) -> bool:
    return place.resolve().is_relative_to(root.resolve())


def _text(picture: str, root: Path) -> str:
    """The file of labels of a picture: in labels/ for the last images/ of its path, or beside it."""
    beside = f"{stem(picture)}.txt"
    parts = list(PurePosixPath(beside).parts)
    if "images" in parts[:-1]:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
        mirrored = "/".join(parts)
        return mirrored if (root / mirrored).is_file() or not (root / beside).is_file() else beside
    return beside


def _things(text: Path, picture: Pictured, listed: list[str], names: Names, root: Path, found: Found) -> None:
    try:
        size = upright_size(root / picture.file)
        lines = read_text(text).split("\n")
    except ValueError as error:
        found.problems.append((picture.file, str(error)))
        return
    for at, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{text}:{at}"
        try:
            thing = _thing(line.split(), listed, names, where, size)
        except ValueError as error:
            found.problems.append((where, str(error)))
            continue
        if thing:
            picture.things.append(thing)
            picture.labels |= {thing.name} - {BACKGROUND}


def _thing(
    cells: list[str], listed: list[str], names: Names, where: str, size: tuple[int, int]
) -> Thing | None:
    values = [number(cell) for cell in cells]
    if len(values) < 5 or len(values) % 2 == 0:
        raise ValueError(f"{len(values)} numbers: 5 are a box, 7 or more (an odd number) an outline")
    if values[0] != int(values[0]) or not 0 <= values[0] < len(listed):
        raise ValueError(f"class {cells[0]}: there are 0 to {len(listed) - 1}")
    if not all(-OUT <= value <= 1 + OUT for value in values[1:]):
        raise ValueError("holds numbers outside of 0 to 1: they are shares of the picture's sides")
    name = names.use(listed[int(values[0])], where)
    width, height = size
    if not name:
        return None
    if len(values) > 5:
        ring = tuple((x * width, y * height) for x, y in spots(values[1:]))
        return Thing(name, Polygons((ring,)))
    x, y, wide, high = values[1:]
    sides = (x - wide / 2) * width, (y - high / 2) * height, (x + wide / 2) * width, (y + high / 2) * height
    return Thing(name, box=sides)
