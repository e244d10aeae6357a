"""labelme: a JSON per picture (https://github.com/wkentaro/labelme), anywhere below PATH.

Polygons, circles and masks are areas; rectangles, points, lines and linestrips what they are. Splits are
folders train and val. Pictures without a JSON are left out.
"""

import base64
import binascii
import math
from typing import Any

from stages.commands.importing.found import BACKGROUND, Asked, Found, Names, Pictured, Thing
from stages.commands.importing.places import folder_splits
from stages.dataset.areas import Ellipse, Polygons, Spot, Stamp
from stages.dataset.fields import pairs, read_json, take


def read(asked: Asked) -> Found:
    found = Found()
    names = Names(asked, found, "")
    files = sorted(file for file in asked.path.rglob("*.json") if not file.name.startswith("."))
    for file in files:
        try:
            content = read_json(file)
            if not isinstance(content, dict) or not {"shapes", "imagePath"} & set(content):
                found.remarks.append((str(file), "is no JSON of labelme: left out"))
                continue
            shapes, written = take(content, "shapes", list), take(content, "imagePath", str)
            picture = Pictured(asked.places.find(written, file.parent), str(file), size=_size(content))
        except ValueError as error:
            found.problems.append((str(file), str(error).removeprefix(f"{file}: ")))
            continue
        found.pictures.append(picture)
        if flags := [name for name, on in (content.get("flags") or {}).items() if on]:
            found.remarks.append((str(file), f"its flags are not read ({', '.join(flags)})"))
        for number, shape in enumerate(shapes, 1):
            _add(number, shape, picture, names, found)
    if not files:
        raise ValueError(f"{asked.path}: no JSON is there")
    _split(asked, found)
    names.finish()
    return found


def _size(content: dict[str, Any]) -> tuple[int, int] | None:
    if content.get("imageWidth") is None or content.get("imageHeight") is None:
        return None
    return take(content, "imageWidth", int), take(content, "imageHeight", int)


def _split(asked: Asked, found: Found) -> None:
    splits = folder_splits([picture.file for picture in found.pictures])
    for picture in found.pictures:
        picture.split = splits.get(picture.file, "")
    known = {picture.file for picture in found.pictures}
    found.remarks += [(file, "has no JSON: left out") for file in asked.places.all if file not in known]


def _add(number: int, shape: object, picture: Pictured, names: Names, found: Found) -> None:
    try:
        name = names.use(take(shape, "label", str), picture.where)
        if not name:
            return
        assert isinstance(shape, dict)
        thing = _thing(name, shape.get("shape_type") or "polygon", pairs(take(shape, "points", list)), shape)
    except ValueError as error:
        found.problems.append((picture.where, f"shape {number}: {error}"))
        return
    picture.things += thing
    picture.labels |= {name} - {BACKGROUND}


def _thing(name: str, kind: str, points: tuple[Spot, ...], shape: dict[str, Any]) -> list[Thing]:
    if kind == "polygon":
        return [Thing(name, Polygons((points,)))]
    if kind in ("rectangle", "circle", "mask") and len(points) != 2:
        raise ValueError(f"a {kind} has {len(points)} points, not 2")
    if kind == "rectangle":
        (x0, y0), (x1, y1) = points
        return [Thing(name, box=(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))]
    if kind == "circle":
        radius = math.dist(*points)
        return [Thing(name, Ellipse(points[0], (radius, radius)))]
    if kind == "mask":
        return [Thing(name, _stamp(points[0], take(shape, "mask", str)))]
    if kind in ("point", "points"):
        return [Thing(name, point=spot) for spot in points]
    if kind in ("line", "linestrip"):
        return [Thing(name, line=points)]
    raise ValueError(f"a {kind} is no shape that is read: make it a polygon or take it out")


def _stamp(corner: Spot, text: str) -> Stamp:
    try:
        return Stamp(int(corner[0]), int(corner[1]), base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise ValueError(f"its mask is no base64: {error}") from None
