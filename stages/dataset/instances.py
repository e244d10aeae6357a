"""COCO's JSON of instances (https://cocodataset.org/#format-data): pictures, and what is drawn on them."""

from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stages.dataset.areas import Area, CocoRuns, Polygons
from stages.dataset.check import Problems
from stages.dataset.fields import numbers, short, take

NEEDED = ("images", "annotations", "categories")
Sides = tuple[float, float, float, float]  # left, top, right, bottom; a box ends before the last two


@dataclass(frozen=True)
class Instance:
    """An object of a category, or a crowd of them. `number` is its id."""

    number: Any
    category: int
    area: Area | None
    box: Sides | None
    crowd: bool


@dataclass
class Image:
    """`file` as it is written; `size` is (width, height), if it is said."""

    number: int
    file: str
    size: tuple[int, int] | None
    instances: list[Instance] = field(default_factory=list)


def is_instances(content: object) -> bool:
    return isinstance(content, dict) and all(isinstance(content.get(key), list) for key in NEEDED)


def categories(content: dict[str, Any], path: Path) -> dict[int, str]:
    """Names by id. ValueError for one without either, or an id twice."""
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


def images(content: dict[str, Any], kinds: dict[int, str], path: Path) -> tuple[list[Image], Problems]:
    """All pictures with their instances, and what is wrong with an entry, by its id."""
    found: dict[int, Image] = {}
    problems: Problems = []
    bad = set()
    for image in content["images"]:
        where = f"{path}: image {image.get('id') if isinstance(image, dict) else short(image)}"
        try:
            number = take(image, "id", int)
            if number in found:
                raise ValueError("the id is there twice")
            bad.add(number)
            size = None
            if "width" in image and "height" in image:
                size = take(image, "width", int), take(image, "height", int)
            found[number] = Image(number, take(image, "file_name", str), size)
        except ValueError as error:
            problems.append((where, str(error)))
    for annotation in content["annotations"]:
        where = f"{path}: annotation {annotation.get('id') if isinstance(annotation, dict) else ''}"
        try:
            number, instance = _instance(annotation, kinds)
            if number not in found and number not in bad:
                raise ValueError(f"is of image {number}, which the list of images lacks")
        except ValueError as error:
            problems.append((where, str(error)))
            continue
        if number in found:
            found[number].instances.append(instance)
    return list(found.values()), problems


def _instance(annotation: object, kinds: dict[int, str]) -> tuple[int, Instance]:
    """And the id of its image."""
    number, kind = take(annotation, "image_id", int), take(annotation, "category_id", int)
    if kind not in kinds:
        raise ValueError(f"is of category {kind}, which the list of categories lacks")
    assert isinstance(annotation, dict)
    crowd = annotation.get("iscrowd", 0) in (1, True)
    area, box = _area(annotation.get("segmentation")), _box(annotation.get("bbox"))
    return number, Instance(annotation.get("id"), kind, area, box, crowd)


def _area(segmentation: object) -> Area | None:
    """A list of outlines, or runs; None where there is nothing, as in sets of boxes."""
    if not segmentation:
        return None
    if isinstance(segmentation, list):
        return Polygons(tuple(map(_ring, segmentation)))
    size = numbers(take(segmentation, "size", list), 2)
    counts = segmentation.get("counts") if isinstance(segmentation, dict) else None
    if isinstance(counts, str):
        return CocoRuns((int(size[0]), int(size[1])), counts)
    return CocoRuns((int(size[0]), int(size[1])), tuple(map(int, numbers(counts))))


def _ring(flat: Any) -> "array[float]":
    """x, y, x, y, ...: COCO has some 50 million of them."""
    try:
        ring = array("d", flat)
    except (TypeError, OverflowError):
        ring = array("d", numbers(flat))
    if len(ring) % 2:
        raise ValueError(f"{len(ring)} numbers are no pairs of x and y")
    if not np.isfinite(ring).all():
        raise ValueError("holds what is no number")
    return ring


def _box(bbox: object) -> Sides | None:
    """Left, top, width, height as the four sides."""
    if not bbox:
        return None
    left, top, width, height = numbers(bbox, 4)
    return left, top, left + width, top + height
