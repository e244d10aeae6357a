"""Label Studio: the export "JSON" (https://labelstud.io/guide/export), a list of tasks.

PATH is the JSON, or a folder with one beside the pictures. Polygons, ellipses, brushes and turned rectangles
are areas; rectangles and key points what they are; choices are labels of the whole picture. Lengths are
percents of the picture's sides.
"""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from stages.commands.importing.formats.cvat import turned
from stages.commands.importing.found import BACKGROUND, Asked, Found, Names, Pictured, Thing
from stages.commands.importing.places import one_file
from stages.dataset.areas import Brush, Ellipse, Polygons, Spot
from stages.dataset.fields import number, numbers, pairs, read_json, short, take

KINDS = ("polygonlabels", "rectanglelabels", "ellipselabels", "brushlabels", "keypointlabels", "choices")
UPLOADED = re.compile("^[0-9a-f]{8}-")  # what it puts before the names of files that it was given


def read(asked: Asked) -> Found:
    found = Found()
    names = Names(asked, found, "")
    file = one_file(asked.path, "*.json")
    tasks = read_json(file)
    if not isinstance(tasks, list):
        raise ValueError(f"{file}: it is {short(tasks)}, not the list of tasks of the export JSON")
    for place, task in enumerate(tasks):
        where = f"{file}: task {task.get('id', place) if isinstance(task, dict) else place}"
        try:
            results = _results(task)
            if results is None:
                found.remarks.append((where, "nobody has labelled it: left out"))
                continue
            picture = Pictured(_picture(task, asked, file.parent), where)
        except ValueError as error:
            found.problems.append((where, str(error)))
            continue
        found.pictures.append(picture)
        for result in results:
            _add(result, picture, names, found)
    names.finish()
    return found


def _results(task: object) -> list[Any] | None:
    """What the one annotation of a task holds; None where there is none. ValueError where several count."""
    if isinstance(task, dict) and "annotations" not in task:
        raise ValueError("'annotations' is missing: is it the export JSON, not JSON-MIN?")
    whole = [
        a for a in take(task, "annotations", list) if not (isinstance(a, dict) and a.get("was_cancelled"))
    ]
    chosen = [a for a in whole if isinstance(a, dict) and a.get("ground_truth")] or whole
    if len(chosen) > 1:
        raise ValueError(f"{len(chosen)} annotations: mark the one that counts as ground truth")
    return take(chosen[0], "result", list) if chosen else None


def _picture(task: dict[str, Any], asked: Asked, beside: Path) -> str:
    """Of the one value of `data` that names a file: an upload, an address, a path of local files."""
    data = take(task, "data", dict)
    texts = [value for value in data.values() if isinstance(value, str)]
    written = data.get("image") or (texts[0] if len(texts) == 1 else None)
    if not isinstance(written, str):
        raise ValueError(
            f"which of {', '.join(map(str, data))} is the picture, cannot be told: call it image"
        )
    parts = urlsplit(written)
    path = (
        parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
        if parts.scheme or parts.query
        else unquote(written)
    )
    try:
        return asked.places.find(path, beside)
    except ValueError:
        folder, slash, name = path.rpartition("/")
        if not UPLOADED.match(name):
            raise
        return asked.places.find(folder + slash + UPLOADED.sub("", name), beside)


def _add(result: object, picture: Pictured, names: Names, found: Found) -> None:
    try:
        kind = take(result, "type", str)
        assert isinstance(result, dict)
        if kind not in KINDS:
            found.remarks.append((picture.where, f"a {kind} is not read"))
            return
        value = take(result, "value", dict)
        labels = take(value, kind, list)
        if kind != "choices":
            size = take(result, "original_width", int), take(result, "original_height", int)
            if picture.size not in (None, size):
                raise ValueError("its results are of different sizes of the picture")
            picture.size = size
    except ValueError as error:
        found.problems.append((picture.where, f"result {short(result)}: {error}"))
        return
    for label in labels:
        name = names.use(label, picture.where)
        try:
            things = [] if kind == "choices" or not name else [_thing(name, kind, value, size)]
        except ValueError as error:
            found.problems.append((picture.where, f"{kind} of {name}: {error}"))
            continue
        picture.things += things
        picture.labels |= {name} - {BACKGROUND, ""}


def _thing(name: str, kind: str, value: dict[str, Any], size: tuple[int, int]) -> Thing:
    width, height = size
    if kind == "polygonlabels":
        points = pairs(take(value, "points", list))
        return Thing(name, Polygons((tuple((x * width / 100, y * height / 100) for x, y in points),)))
    if kind == "brushlabels":
        if value.get("format") != "rle":
            raise ValueError(f"its format is {short(value.get('format'))}, not 'rle'")
        content = numbers(take(value, "rle", list))
        if not all(0 <= byte <= 255 for byte in content):
            raise ValueError("its runs are no bytes")
        return Thing(name, Brush((height, width), tuple(map(int, content))))
    x, y = number(value.get("x")) * width / 100, number(value.get("y")) * height / 100
    angle = number(value.get("rotation") or 0)
    if kind == "keypointlabels":
        return Thing(name, point=(x, y))
    if kind == "ellipselabels":
        wide, high = number(value.get("radiusX")) * width / 100, number(value.get("radiusY")) * height / 100
        return Thing(name, Ellipse((x, y), (wide, high), angle))
    right, bottom = (
        x + number(value.get("width")) * width / 100,
        y + number(value.get("height")) * height / 100,
    )
    if angle == 0:
        return Thing(name, box=(x, y, right, bottom))
    corners: tuple[Spot, ...] = ((x, y), (right, y), (right, bottom), (x, bottom))
    return Thing(name, Polygons((turned(corners, (x, y), angle),)))  # about its upper left corner
