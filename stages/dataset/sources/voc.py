"""The VOCdevkit layout. Labels come from the boxes in the XML files, never from masks."""

import re
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

from stages.dataset.check import unsafe
from stages.dataset.files import SUFFIXES, Finder, read_file
from stages.dataset.labels import clean, problem_of
from stages.dataset.layouts import looks_like, voc_base
from stages.dataset.params import Dataset
from stages.dataset.records import Record, Source, read_classes, read_text
from stages.dataset.words import few

VOC = [
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
]  # fmt: skip
MAX_XML = 1 << 20  # bytes; a real annotation has a few thousand


class Plain(ElementTree.TreeBuilder):
    """A tree without entities, which can grow without end. The parser asks, whatever the encoding."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("it has a document type, which declares entities")


def read(root: Path, params: Dataset) -> Source:
    """The set at `root`. ValueError where the layout itself is not there."""
    base = voc_base(root)
    if base is None:
        lacks = f"{root} has no folder JPEGImages (nor VOCdevkit/VOC2012): is it the VOC layout?"
        raise ValueError(f"{lacks} {_not_voc(root)}")
    masks = base / params.masks
    if params.truth != "none" and params.masks != "SegmentationClass" and not masks.is_dir():
        raise ValueError(
            f"{masks} is missing: dataset.masks asks for it; use SegmentationClass or add SBD's masks"
        )
    names = base / "classes.txt"
    classes = read_classes(names) if names.exists() else list(VOC)
    source = Source(classes, base / "JPEGImages", masks)
    pictures, annotations = Finder(base / "JPEGImages"), Annotations(base / "Annotations", source)
    for split, name in (("train", params.train), ("val", params.val)):
        for entry in _listed(base / "ImageSets" / "Segmentation" / f"{name}.txt", pictures):
            identifier = unicodedata.normalize("NFC", entry)
            labels = () if unsafe(identifier) else annotations.labels(entry)
            found = [] if unsafe(identifier) else pictures.find(f"{entry}.jpg") or pictures.find(entry)
            if len(found) > 1:
                source.problems.append((entry, f"could be JPEGImages/{' or '.join(found[:3])}: keep one"))
            picture = base / "JPEGImages" / (found[0] if found else f"{entry}.jpg")
            mask = None if params.truth == "none" else masks / f"{identifier}.png"
            source.records.append(Record(identifier, picture, split, labels, mask))
    if not names.exists():
        _compare(source)
    return source


def _not_voc(root: Path) -> str:
    if (root / "labels.csv").is_file():
        return "It has a labels.csv: set dataset.source to folder"
    return f"For dataset.source folder, {looks_like(root)}"


def _compare(source: Source) -> None:
    """Without classes.txt the classes are VOC's: say it once where the boxes name others."""
    counts = Counter(label for record in source.records for label in record.labels)
    foreign = sorted(set(counts) - set(VOC))
    if not foreign:  # some of VOC's 20 only: they keep the indices that VOC's masks have
        return
    own = sorted(counts)
    found = few([f"{name} ({counts[name]})" for name in own], 30)
    text = f"is missing, and the boxes name what is none of VOC's 20: {few(foreign, 10)}. List the classes"
    order = f"in it, one per line in the order of the masks' indices; found: {found}"
    source.problems.append(("classes.txt", f"{text} {order}"))
    source.classes = own
    source.partial = True


def _listed(path: Path, pictures: Finder) -> list[str]:
    """The identifiers of a split file: each line whole if there is such a picture, else its first word
    (deeplab's lists have two, VOC's lists by class a number)."""
    if not path.exists():
        others = sorted(file.stem for file in path.parent.glob("*.txt"))
        raise ValueError(f"{path} is missing; there are the splits {', '.join(others) or '(none)'}")
    found = []
    for line in read_text(path).splitlines():
        if line := line.strip():
            word = line if " " in line and pictures.find(line) else line.split()[0]
            named = Path(word).suffix.lower() in SUFFIXES and pictures.find(word)
            found.append(Path(word).stem if word.startswith("/JPEGImages/") or named else word)
    return found


class Annotations:
    """The names of the boxed objects of each picture, each file read once."""

    def __init__(self, folder: Path, source: Source) -> None:
        self.folder, self.source, self.finder = folder, source, Finder(folder)
        self.known: dict[str, tuple[str, ...]] = {}

    def labels(self, identifier: str) -> tuple[str, ...]:
        """Sorted, each once. A file that cannot be read is a problem of the source."""
        if identifier not in self.known:
            self.known[identifier] = self._read(f"{identifier}.xml")
        return self.known[identifier]

    def _read(self, name: str) -> tuple[str, ...]:
        path = self.folder / (self.finder.find(name) or [name])[0]
        try:
            names = {clean(text) for text in _names(read_file(path, MAX_XML))}
            for text in names:
                if not text or problem_of(text):
                    raise ValueError(f"an object's name {text!r} {problem_of(text) or 'is empty'}")
            return tuple(sorted(names))
        except FileNotFoundError:
            self.source.problems.append((str(path), "missing: labels come from its boxes"))
        except (ElementTree.ParseError, ValueError, LookupError) as error:
            self.source.problems.append((str(path), f"not a readable annotation: {error}"))
        return ()


def _names(content: bytes) -> list[str]:
    """The direct names of the objects; those of their parts do not count."""
    return [entry.findtext("name") or "" for entry in parsed(content).iter("object")]


def parsed(content: bytes) -> ElementTree.Element:
    """The tree of an XML file. ParseError, ValueError or LookupError where it is none."""
    try:
        return ElementTree.fromstring(content, ElementTree.XMLParser(target=Plain()))
    except ValueError as error:
        if "multi-byte" not in str(error):
            raise
        return ElementTree.fromstring(_decoded(content), ElementTree.XMLParser(target=Plain()))


def _decoded(content: bytes) -> str:
    """The text of a file in an encoding of several bytes, as GBK or Shift-JIS, which expat does not know."""
    declared = re.match(rb"\s*<\?xml[^>]*encoding=[\"']([\w.-]+)", content)
    if not declared:
        raise ValueError("its encoding is not known")
    return content.decode(declared[1].decode())
