"""COCO's own layout: annotations/instances_TRAIN.json and instances_VAL.json, pictures in TRAIN/ and VAL/.

TRAIN and VAL are dataset.train and dataset.val: train2017 and val2017, or train2014 and val2014. Labels are
the categories of all instances of a picture, crowds too; classes are the categories in the order of their
ids, 80 of 1 to 90. A mask is drawn of the instances (area_masks.py), none is a file.
"""

from pathlib import Path
from typing import Any

from stages.dataset.area_masks import AreaMask, Part
from stages.dataset.fields import read_json
from stages.dataset.files import stem
from stages.dataset.instances import NEEDED, Image, categories, images, is_instances
from stages.dataset.labels import check_count, clean, problem_of
from stages.dataset.layouts import looks_like
from stages.dataset.params import Dataset
from stages.dataset.records import Record, Source

PLACES = ("", "images")  # below which the folders of the splits lie


def read(root: Path, params: Dataset) -> Source:
    """The set at `root`. ValueError where a file of instances is missing, is none, or names other classes."""
    source = Source([], root, root / "masks")
    first: dict[int, str] = {}
    for split, name in (("train", params.train), ("val", params.val)):
        path = root / "annotations" / f"instances_{name}.json"
        content = _content(path, root)
        kinds = categories(content, path)
        if first and kinds != first:
            raise ValueError(f"{path}: its categories differ from those of instances_{params.train}.json")
        first = kinds
        source.classes = _classes(kinds, path)
        listed, problems = images(content, kinds, path)
        source.problems += problems
        source.partial |= bool(problems)
        folder = _folder(root, name)
        index = {kind: number for number, kind in enumerate(sorted(kinds), 1)}
        source.records += [_record(image, split, folder, path, index, source, params) for image in listed]
    return source


def _content(path: Path, root: Path) -> dict[str, Any]:
    if not path.is_file():
        others = sorted(file.stem.removeprefix("instances_") for file in path.parent.glob("instances_*.json"))
        hint = (
            f"there are the splits {', '.join(others)}: set dataset.train and dataset.val" if others else ""
        )
        raise ValueError(f"{path} is missing; {hint or looks_like(root)}")
    content: dict[str, Any] = read_json(path)
    if not is_instances(content):
        raise ValueError(f"{path} lacks one of the lists {', '.join(NEEDED)}")
    return content


def _classes(kinds: dict[int, str], path: Path) -> list[str]:
    names = [clean(kinds[kind]) for kind in sorted(kinds)]
    check_count(names, str(path))
    for name in names:
        problem = problem_of(name) or ("is there twice" if names.count(name) > 1 else "")
        if not name or problem:
            raise ValueError(f"{path}: the category {name!r} {problem or 'has no name'}")
    return names


def _folder(root: Path, split: str) -> Path:
    """The first that is there; of none the first, where each picture is said to be missing."""
    places = [root / place / split for place in PLACES]
    return next((place for place in places if place.is_dir()), places[0])


def _record(
    image: Image,
    split: str,
    folder: Path,
    path: Path,
    index: dict[int, int],
    source: Source,
    params: Dataset,
) -> Record:
    labels = sorted({index[each.category] for each in image.instances})
    mask = None
    if params.truth != "none" and all(each.area for each in image.instances):
        parts = [
            Part(index[each.category], each.area, each.crowd, where=f"annotation {each.number}")
            for each in image.instances
            if each.area
        ]
        mask = AreaMask(path, image.size, tuple(parts), image.file)
    elif params.truth == "required":
        source.problems.append((f"{path}: image {image.number}", "has instances without segmentation"))
    if image.file.startswith("/") or ".." in image.file.split("/"):
        source.problems.append((f"{path}: image {image.number}", f"lies outside: {image.file!r}"))
    return Record(
        stem(image.file).replace("/", "__"),
        folder / image.file.lstrip("/"),
        split,
        tuple(source.classes[number - 1] for number in labels),
        mask,
    )
