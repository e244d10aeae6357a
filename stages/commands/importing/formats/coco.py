"""COCO: instances as JSON, of one split or several (https://cocodataset.org/#format-data).

PATH is such a file, or a folder with some: instances_train2017.json and instances_val2017.json, or Roboflow's
_annotations.coco.json in train/ and valid/. The split is what their names or folders say. Categories become
1..C in the order of their ids.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stages.commands.importing.found import BACKGROUND, Asked, Found, Names, Pictured, Thing
from stages.commands.importing.places import split_word
from stages.dataset.fields import read_json
from stages.dataset.instances import NEEDED, Image, categories, images, is_instances

OTHERS = ("person_keypoints", "captions", "image_info", "stuff", "panoptic")  # the same pictures once more


def read(asked: Asked) -> Found:
    found = Found()
    names: Names | None = None
    first: tuple[Path, dict[int, str]] | None = None
    for path, split, content in _files(asked.path, found):
        kinds = categories(content, path)
        if first is None:
            first = path, kinds
            names = Names(asked, found, f"the categories of {path.name}", [kinds[k] for k in sorted(kinds)])
        elif kinds != first[1]:
            found.problems.append((str(path), f"its categories differ from those of {first[0]}"))
            continue
        assert names is not None
        listed, problems = images(content, kinds, path)
        found.problems += problems
        _add(path, split, listed, kinds, names, asked, found)
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
        if is_instances(content):
            yield file, split, content
        elif file == path or file in own:
            found.problems.append((str(file), f"lacks one of the lists {', '.join(NEEDED)}"))
        else:
            found.remarks.append((str(file), "has no instances: left out"))


def _add(
    path: Path,
    split: str,
    images: Sequence[Image],
    kinds: dict[int, str],
    names: Names,
    asked: Asked,
    found: Found,
) -> None:
    beside = asked.places.base((image.file for image in images), path.parent)
    for image in images:
        where = f"{path}: image {image.number}"
        try:
            picture = Pictured(asked.places.find(image.file, beside, split), where, split, image.size)
        except ValueError as error:
            found.problems.append((where, str(error)))
            continue
        found.pictures.append(picture)
        for each in image.instances:
            if name := names.use(kinds[each.category], where):
                called = f"annotation {each.number}"
                picture.things.append(Thing(name, each.area, each.box, crowd=each.crowd, where=called))
                picture.labels |= {name} - {BACKGROUND}
