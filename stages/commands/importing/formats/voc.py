"""An XML of boxes per picture, as VOC's and LabelImg's, anywhere below PATH.

VOC's own folders are linked, not imported. Boxes are counted from 1, both ends inside. The picture is the one
beside the XML or of its name; splits are folders train and val.
"""

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from stages.commands.importing.found import BACKGROUND, Asked, Found, Names, Pictured, Thing
from stages.commands.importing.places import folder_splits
from stages.dataset.fields import number
from stages.dataset.files import read_file, stem
from stages.dataset.instances import Sides
from stages.dataset.sources.voc import MAX_XML, parsed


def read(asked: Asked) -> Found:
    found = Found()
    names = Names(asked, found, "")
    trees = _trees(asked.path, found)
    by_stem = {stem(file): file for file in asked.places.all}
    base = asked.places.base((_written(tree, file) for file, tree in trees.items()), asked.path)
    for file, tree in trees.items():
        try:
            beside = file.with_suffix("").relative_to(asked.path).as_posix()
            place = by_stem.get(beside) or asked.places.find(_written(tree, file), base)
            picture = Pictured(place, str(file), size=_size(tree))
        except ValueError as error:
            found.problems.append((str(file), str(error)))
            continue
        found.pictures.append(picture)
        for entry in tree.iter("object"):
            _add(entry, picture, names, found)
    splits = folder_splits([picture.file for picture in found.pictures])
    for picture in found.pictures:
        picture.split = splits.get(picture.file, "")
    known = {picture.file for picture in found.pictures}
    found.remarks += [(file, "has no XML: left out") for file in asked.places.all if file not in known]
    names.finish()
    return found


def _trees(path: Path, found: Found) -> dict[Path, Element]:
    files = sorted(file for file in path.rglob("*.xml") if not file.name.startswith("."))
    if not files:
        raise ValueError(f"{path}: no XML is there")
    trees = {}
    for file in files:
        try:
            trees[file] = parsed(read_file(file, MAX_XML))
        except (ParseError, ValueError, LookupError) as error:
            found.problems.append((str(file), f"no readable XML: {error}"))
    return trees


def _written(tree: Element, file: Path) -> str:
    return tree.findtext("filename") or file.stem


def _size(tree: Element) -> tuple[int, int] | None:
    """None where it is not said, or 0, as some programs write it."""
    width, height = tree.findtext("size/width"), tree.findtext("size/height")
    if width is None or height is None or number(width) == 0:
        return None
    return int(number(width)), int(number(height))


def _add(entry: Element, picture: Pictured, names: Names, found: Found) -> None:
    name = names.use(entry.findtext("name"), picture.where)
    if not name:
        return
    try:
        picture.things.append(Thing(name, box=_box(entry)))
    except ValueError as error:
        found.problems.append((picture.where, f"a box of {name}: {error}"))
    picture.labels |= {name} - {BACKGROUND}


def _box(entry: Element) -> Sides | None:
    if entry.find("bndbox") is None:
        return None
    left, top, right, bottom = (
        number(entry.findtext(f"bndbox/{key}")) for key in ("xmin", "ymin", "xmax", "ymax")
    )
    return left - 1, top - 1, right, bottom
