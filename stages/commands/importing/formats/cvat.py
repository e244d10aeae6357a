"""CVAT for images 1.1: one XML (https://docs.cvat.ai/docs/dataset_management/formats/format-cvat).

PATH is the XML, or a folder with annotations.xml. Polygons, ellipses, masks and turned boxes are areas;
boxes, points and polylines what they are; tags are labels of the whole picture. The split is the subset.
"""

import math
from collections.abc import Callable
from xml.etree.ElementTree import Element, ParseError

from stages.commands.importing.found import BACKGROUND, Asked, Found, Names, Pictured, Thing
from stages.commands.importing.places import one_file, split_word
from stages.dataset.areas import CvatRuns, Ellipse, Polygons, Spot
from stages.dataset.fields import MOST, number, numbers, spots
from stages.dataset.files import read_file
from stages.dataset.sources.voc import parsed


def read(asked: Asked) -> Found:
    found, file = Found(), one_file(asked.path, "**/*.xml")
    try:
        tree = parsed(read_file(file, MOST))
    except (ParseError, ValueError, LookupError) as error:
        raise ValueError(f"{file}: no readable XML: {error}") from None
    if tree.tag != "annotations":
        raise ValueError(f"{file}: its first element is {tree.tag!r}, not 'annotations'")
    if tree.find("track") is not None:
        raise ValueError(f"{file} is CVAT for video: export the task as 'CVAT for images 1.1'")
    listed = [label.findtext("name") or "" for label in tree.iterfind("./meta//labels/label")]
    names = Names(asked, found, f"the labels of {file.name}", list(dict.fromkeys(listed)) if listed else None)
    beside = asked.places.base((image.get("name") or "" for image in tree.iter("image")), file.parent)
    for image in tree.iter("image"):
        where = f"{file}: image {image.get('id')} ({image.get('name')})"
        split = split_word(subset := image.get("subset") or "")
        if split == "test":
            found.remarks.append((where, "is of the subset test: left out"))
            continue
        if subset and not split and subset.lower() != "default":
            found.problems.append((where, f"its subset is {subset!r}, neither train nor val"))
        try:
            size = int(attribute(image, "width")), int(attribute(image, "height"))
            name = asked.places.find(image.get("name") or "", beside, split)
        except ValueError as error:
            found.problems.append((where, str(error)))
            continue
        picture = Pictured(name, where, split, size)
        found.pictures.append(picture)
        for shape in image:
            _add(shape, picture, names, found)
    names.finish()
    return found


def _add(shape: Element, picture: Pictured, names: Names, found: Found) -> None:
    name = names.use(shape.get("label"), picture.where)
    if not name:
        return
    try:
        if shape.tag == "tag":
            picture.labels |= {name} - {BACKGROUND}
            return
        if shape.tag not in SHAPES:
            raise ValueError(
                f"a {shape.tag} of {name} is no shape that is read: make it a polygon or take it out"
            )
        things = SHAPES[shape.tag](shape, name, int(shape.get("z_order") or 0))
    except ValueError as error:
        found.problems.append((picture.where, f"{shape.tag} of {name}: {error}"))
        return
    picture.things += things
    picture.labels |= {name} - {BACKGROUND}


def attribute(element: Element, key: str) -> float:
    if element.get(key) is None:
        raise ValueError(f"{key!r} is missing")
    return number(element.get(key))


def _points(shape: Element) -> tuple[Spot, ...]:
    pairs = (shape.get("points") or "").split(";")
    return spots([value for pair in pairs for value in numbers(pair.split(","), 2)])


def _polygon(shape: Element, name: str, level: int) -> list[Thing]:
    return [Thing(name, Polygons((_points(shape),)), level=level)]


def _box(shape: Element, name: str, level: int) -> list[Thing]:
    """A box that is turned, about its centre, is an area: it has no sides."""
    left, top, right, bottom = (attribute(shape, key) for key in ("xtl", "ytl", "xbr", "ybr"))
    angle = number(shape.get("rotation") or 0)
    if angle == 0:
        return [Thing(name, box=(left, top, right, bottom))]
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    centre = (left + right) / 2, (top + bottom) / 2
    return [Thing(name, Polygons((turned(corners, centre, angle),)), level=level)]


def turned(corners: tuple[Spot, ...], about: Spot, angle: float) -> tuple[Spot, ...]:
    """By `angle` degrees clockwise, as the y axis points down."""
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    moved = [(x - about[0], y - about[1]) for x, y in corners]
    return tuple((about[0] + x * cos - y * sin, about[1] + x * sin + y * cos) for x, y in moved)


def _ellipse(shape: Element, name: str, level: int) -> list[Thing]:
    x, y, wide, high = (attribute(shape, key) for key in ("cx", "cy", "rx", "ry"))
    return [Thing(name, Ellipse((x, y), (wide, high), number(shape.get("rotation") or 0)), level=level)]


def _mask(shape: Element, name: str, level: int) -> list[Thing]:
    left, top, wide, high = (int(attribute(shape, key)) for key in ("left", "top", "width", "height"))
    counts = tuple(int(number(count)) for count in (shape.get("rle") or "").split(","))
    return [Thing(name, CvatRuns((left, top, wide, high), counts), level=level)]


def _spots(shape: Element, name: str, level: int) -> list[Thing]:
    return [Thing(name, point=spot) for spot in _points(shape)]


def _polyline(shape: Element, name: str, level: int) -> list[Thing]:
    return [Thing(name, line=_points(shape))]


SHAPES: dict[str, Callable[[Element, str, int], list[Thing]]] = {
    "polygon": _polygon, "box": _box, "ellipse": _ellipse, "mask": _mask, "points": _spots,
    "polyline": _polyline,
}  # fmt: skip
