"""COCO: instances as JSON, of one split or several (https://cocodataset.org/#format-data).

PATH is such a file, or a folder with some: instances_train2017.json and instances_val2017.json, or Roboflow's
_annotations.coco.json in train/ and valid/. The split is what their names or folders say. Categories become
1..C in the order of their ids.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stages.commands.importing.areas import Area, CocoRuns, Polygons
from stages.commands.importing.fields import numbers, read_json, short, spots, take
from stages.commands.importing.found import BACKGROUND, Asked, Found, Names, Pictured, Sides, Thing
from stages.commands.importing.places import split_word

NEEDED = ("images", "annotations", "categories")
OTHERS = ("person_keypoints", "captions", "image_info", "stuff", "panoptic")  # the same pictures once more


def read(asked: Asked) -> Found:
    found = Found()
    names: Names | None = None
    first: tuple[Path, dict[int, str]] | None = None
    for path, split, content in _files(asked.path, found):
        kinds = _categories(content, path)
        if first is None:
            first = path, kinds
            names = Names(asked, found, f"the categories of {path.name}", [kinds[k] for k in sorted(kinds)])
        elif kinds != first[1]:
            found.problems.append((str(path), f"its categories differ from those of {first[0]}"))
            continue
        assert names is not None
        pictures = _pictures(content, path, split, asked, found)
        _things(content, path, pictures, kinds, names, found)
        found.pictures += [picture for picture in pictures.values() if picture.file]
    if names is None or first is None:
        if found.problems:
            return found
        raise ValueError(f"{asked.path}: no JSON with {', '.join(NEEDED)} is there")
    names.finish()
    if sorted(first[1]) != list(range(1, len(first[1]) + 1)):
        text = (
            f"category ids {min(first[1])} to {max(first[1])} become 1 to {len(found.classes)} by their order"
        )
        found.remarks.append((str(first[0]), text))
    return found


def _files(path: Path, found: Found) -> Iterable[tuple[Path, str, dict[str, Any]]]:
    """Path, split, and content of each file of instances. One of the split test is left out."""
    files = [path] if path.is_file() else sorted(path.rglob("*.json"))
    shown = [f for f in files if not any(part.startswith(".") for part in f.relative_to(path).parts)]
    own = [file for file in shown if file.name.startswith("instances")]
    for file in own or shown:
        words = [*re.split(r"[_.-]", file.stem), file.parent.name if path.is_dir() else ""]
        split = next(filter(None, map(split_word, words)), "")
        if file.name.startswith(OTHERS):
            found.remarks.append((str(file), "is not of instances: left out"))
            continue
        if split == "test":
            found.remarks.append((str(file), "is of the split test: left out"))
            continue
        try:
            content = read_json(file)
        except ValueError as error:
            found.problems.append((str(file), str(error).removeprefix(f"{file}: ")))
            continue
        if isinstance(content, dict) and all(isinstance(content.get(key), list) for key in NEEDED):
            yield file, split, content
        elif file == path or file in own:
            found.problems.append((str(file), f"lacks one of the lists {', '.join(NEEDED)}"))
        else:
            found.remarks.append((str(file), "has no instances: left out"))


def _categories(content: dict[str, Any], path: Path) -> dict[int, str]:
    kinds: dict[int, str] = {}
    for category in content["categories"]:
        try:
            number, name = take(category, "id", int), take(category, "name", str)
        except ValueError as error:
            raise ValueError(f"{path}: category {short(category)}: {error}") from None
        if number in kinds:
            raise ValueError(f"{path}: the category id {number} is there twice")
        kinds[number] = name
    return kinds


def _pictures(
    content: dict[str, Any], path: Path, split: str, asked: Asked, found: Found
) -> dict[int, Pictured]:
    """By image id. One whose file is missing has an empty name, and its annotations are passed over."""
    pictures: dict[int, Pictured] = {}
    texts = [image.get("file_name") for image in content["images"] if isinstance(image, dict)]
    beside = asked.places.base((text for text in texts if isinstance(text, str)), path.parent)
    for image in content["images"]:
        where = f"{path}: image {image.get('id') if isinstance(image, dict) else short(image)}"
        try:
            number = take(image, "id", int)
            if number in pictures:
                raise ValueError("the id is there twice")
            size = None
            if "width" in image and "height" in image:
                size = take(image, "width", int), take(image, "height", int)
            pictures[number] = picture = Pictured("", where, split, size)
            picture.file = asked.places.find(take(image, "file_name", str), beside, split)
        except ValueError as error:
            found.problems.append((where, str(error)))
    return pictures


def _things(
    content: dict[str, Any],
    path: Path,
    pictures: dict[int, Pictured],
    kinds: dict[int, str],
    names: Names,
    found: Found,
) -> None:
    for annotation in content["annotations"]:
        where = f"{path}: annotation {annotation.get('id') if isinstance(annotation, dict) else ''}"
        try:
            image, kind = take(annotation, "image_id", int), take(annotation, "category_id", int)
            if image not in pictures:
                raise ValueError(f"is of image {image}, which the list of images lacks")
            if kind not in kinds:
                raise ValueError(f"is of category {kind}, which the list of categories lacks")
            name = names.use(kinds[kind], where)
            if not name:
                continue
            crowd = annotation.get("iscrowd", 0) in (1, True)
            area = _area(annotation.get("segmentation"))
            called = f"annotation {annotation.get('id')}"
            thing = Thing(name, area, _box(annotation.get("bbox")), crowd=crowd, where=called)
        except ValueError as error:
            found.problems.append((where, str(error)))
            continue
        pictures[image].things.append(thing)
        pictures[image].labels |= {name} - {BACKGROUND}


def _area(segmentation: object) -> Area | None:
    """A list of outlines, or runs; None where there is nothing, as in sets of boxes."""
    if not segmentation:
        return None
    if isinstance(segmentation, list):
        return Polygons(tuple(spots(numbers(ring)) for ring in segmentation))
    size = numbers(take(segmentation, "size", list), 2)
    counts = segmentation.get("counts") if isinstance(segmentation, dict) else None
    if isinstance(counts, str):
        return CocoRuns((int(size[0]), int(size[1])), counts)
    return CocoRuns((int(size[0]), int(size[1])), tuple(map(int, numbers(counts))))


def _box(bbox: object) -> Sides | None:
    """Left, top, width, height as the four sides."""
    if not bbox:
        return None
    left, top, width, height = numbers(bbox, 4)
    return left, top, left + width, top + height
