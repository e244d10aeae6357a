"""The VOCdevkit layout. Labels come from the boxes in the XML files, never from masks."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from stages.dataset.check import unsafe
from stages.dataset.params import Dataset
from stages.dataset.records import Record, Source, read_classes, read_text

VOC = [
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
]  # fmt: skip
PLACES = (".", "VOC2012", "VOCdevkit/VOC2012", "VOC2007", "VOCdevkit/VOC2007")
MAX_XML = 1 << 20  # bytes; a real annotation has a few thousand


class Plain(ElementTree.TreeBuilder):
    """A tree without entities, which can grow without end. The parser asks, whatever the encoding."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("it has a document type, which declares entities")


def read(root: Path, params: Dataset) -> Source:
    """The set at `root`. ValueError where the layout itself is not there."""
    base = next((root / place for place in PLACES if (root / place / "JPEGImages").is_dir()), None)
    if base is None:
        raise ValueError(f"{root} has no folder JPEGImages (nor VOCdevkit/VOC2012): is it the VOC layout?")
    masks = base / params.masks
    if params.truth != "none" and params.masks != "SegmentationClass" and not masks.is_dir():
        raise ValueError(
            f"{masks} is missing: dataset.masks asks for it; use SegmentationClass or add SBD's masks"
        )
    names = base / "classes.txt"
    source = Source(read_classes(names) if names.is_file() else list(VOC), [])
    for split, name in (("train", params.train), ("val", params.val)):
        for identifier in _listed(base / "ImageSets" / "Segmentation" / f"{name}.txt"):
            annotation = base / "Annotations" / f"{identifier}.xml"
            labels = () if unsafe(identifier) else _labels(annotation, source)
            picture = base / "JPEGImages" / f"{identifier}.jpg"
            mask = None if params.truth == "none" else masks / f"{identifier}.png"
            source.records.append(Record(identifier, picture, split, labels, mask))
    return source


def _listed(path: Path) -> list[str]:
    """The identifiers of a split file: the first word of each line (deeplab's lists have two)."""
    if not path.is_file():
        others = sorted(file.stem for file in path.parent.glob("*.txt"))
        raise ValueError(f"{path} is missing; there are the splits {', '.join(others) or '(none)'}")
    found = []
    for line in read_text(path).splitlines():
        if line.strip():
            word = line.split()[0]
            found.append(Path(word).stem if word.startswith("/JPEGImages/") else word)
    return found


def _labels(path: Path, source: Source) -> tuple[str, ...]:
    """The names of the boxed objects. A file that cannot be read is a problem of the source."""
    try:
        content = path.read_bytes()
        if len(content) > MAX_XML:
            raise ValueError("larger than an annotation")
        objects = ElementTree.fromstring(content, ElementTree.XMLParser(target=Plain())).iter("object")
        return tuple(sorted({(entry.findtext("name") or "").strip() for entry in objects}))
    except FileNotFoundError:
        source.problems.append((str(path), "missing: labels come from its boxes"))
    except (ElementTree.ParseError, ValueError, LookupError, OSError) as error:
        source.problems.append((str(path), f"not a readable annotation: {error}"))
    return ()
