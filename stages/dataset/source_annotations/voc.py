"""PASCAL VOC's boxes, the scribbles of ScribbleSup, the points of What's the Point.

Boxes come from Annotations/ID.xml, as the labels do: all objects, the `difficult` ones too. Scribbles/ID.png
is a mask of classes, 0 on background strokes and 255 elsewhere (rloss's pascal_2012_scribble); where it is
missing, Scribbles/ID.xml holds ScribbleSup's strokes. points.json is {ID: [{x, y, cls, ...}]}, x and y from
0, `cls` from 1 in the order of the classes, as What's the Point has it; ours may be 0, on the background.
"""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from stages.dataset.drawn import BACKGROUND, Drawn, DrawnBox, DrawnPoint, Size, Stroke, number
from stages.dataset.files import Finder, read_file
from stages.dataset.labels import clean
from stages.dataset.layouts import voc_base
from stages.dataset.records import Record, Source, read_text
from stages.dataset.sources.voc import MAX_XML, parsed

SIDES = ("xmin", "ymin", "xmax", "ymax")
WRONG = (ElementTree.ParseError, ValueError, LookupError, TypeError)


def boxes(root: Path, train: list[Record], source: Source) -> Drawn:
    """Columns and rows are from 1 in the file, both ends inside."""
    folder, drawn = _base(root) / "Annotations", Drawn()
    finder = Finder(folder)
    for record in train:
        path = folder / (finder.find(f"{record.id}.xml") or [f"{record.id}.xml"])[0]
        try:
            tree = parsed(read_file(path, MAX_XML))
        except (FileNotFoundError, *WRONG):
            continue  # the labels come from this file, and their reader has said what is wrong
        size = _size(tree)
        drawn.sizes |= {record.id: size} if size else {}
        for place, entry in enumerate(tree.iter("object"), 1):
            name = clean(entry.findtext("name") or "")
            try:
                texts = [_text(entry, side) for side in SIDES]
                left, top, right, bottom = map(number, texts)
                box = DrawnBox(place, name, (left - 1, top - 1, right, bottom), str(path), ",".join(texts))
                drawn.boxes.setdefault(record.id, []).append(box)
            except ValueError as error:
                drawn.problems.append((str(path), f"no box of object {place} ({name}): {error}"))
                drawn.tell(record.id, name)
    return drawn


def points(root: Path, train: list[Record], source: Source) -> Drawn:
    path, drawn = _base(root) / "points.json", Drawn()
    try:
        found = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no JSON: {error}") from None
    if not isinstance(found, dict) or not all(isinstance(entries, list) for entries in found.values()):
        raise ValueError(f"{path} must be {{ID: [{{x, y, cls}}, ...]}}")
    for record in train:
        where = f"{path}: {record.id}"
        for place, entry in enumerate(found.get(record.id, ()), 1):
            try:
                point = DrawnPoint(
                    place, _class(entry["cls"], source), (_at(entry, "x"), _at(entry, "y")), where
                )
                drawn.points.setdefault(record.id, []).append(point)
            except KeyError as error:
                drawn.problems.append(
                    (where, f"point {place} has no {error.args[0]}: needed are x, y and cls")
                )
            except (ValueError, TypeError) as error:
                drawn.problems.append((where, f"point {place}: {error}"))
    return drawn


def scribbles(root: Path, train: list[Record], source: Source) -> Drawn:
    folder, drawn = _base(root) / "Scribbles", Drawn()
    if not folder.is_dir():
        raise ValueError(f"{folder} is missing: dataset.annotations scribbles needs ID.png or ID.xml in it")
    finder = Finder(folder)
    for record in train:
        if found := finder.find(f"{record.id}.png"):
            drawn.files[record.id] = folder / found[0]
        elif found := finder.find(f"{record.id}.xml"):
            path = drawn.files[record.id] = folder / found[0]
            try:
                tree = parsed(read_file(path, MAX_XML))
                drawn.strokes[record.id] = [_stroke(entry) for entry in tree.iter("polygon")]
            except WRONG as error:
                drawn.problems.append((str(path), f"not a readable scribble: {error}"))
                del drawn.files[record.id]
    return drawn


def _base(root: Path) -> Path:
    return voc_base(root) or root


def _size(tree: ElementTree.Element) -> Size | None:
    """None where the file does not say: some tools leave it out, or write 0."""
    try:
        width, height = (int(tree.findtext(f"size/{side}") or 0) for side in ("width", "height"))
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None


def _text(entry: ElementTree.Element, side: str) -> str:
    text = entry.findtext(f"bndbox/{side}")
    if text is None:
        raise ValueError(f"bndbox/{side} is missing")
    return text


def _class(index: Any, source: Source) -> str:
    known = (BACKGROUND, *source.classes)
    if not str(index).isdecimal() or int(index) >= len(known):
        raise ValueError(f"cls is {index}, and the classes are 1 to {len(source.classes)}, the background 0")
    return known[int(index)]


def _at(entry: dict[str, Any], side: str) -> float:
    return number(str(entry[side]))


def _stroke(entry: ElementTree.Element) -> Stroke:
    spots = tuple((number(spot.findtext("X")), number(spot.findtext("Y"))) for spot in entry.iter("point"))
    return Stroke(clean(entry.findtext("tag") or ""), spots)
