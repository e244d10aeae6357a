"""The VOCdevkit layout. Labels come from the boxes in the XML files, never from masks."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from stages.dataset.params import Dataset
from stages.dataset.records import Record, Source, read_classes

VOC = [
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
]  # fmt: skip
PLACES = (".", "VOC2012", "VOCdevkit/VOC2012", "VOC2007", "VOCdevkit/VOC2007")
MAX_XML = 1 << 20  # bytes; a real annotation has a few thousand


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
            labels = _labels(base / "Annotations" / f"{identifier}.xml", source)
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
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            word = line.split()[0]
            found.append(Path(word).stem if word.startswith("/JPEGImages/") else word)
    return found


def _labels(path: Path, source: Source) -> tuple[str, ...]:
    """The names of the boxed objects. A file that cannot be read is a problem of the source."""
    if "/" in path.stem or ".." in path.name.split("/"):
        return ()  # an unsafe identifier: reported as such, never opened
    try:
        text = path.read_bytes()
        if len(text) > MAX_XML or b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            raise ValueError("larger than an annotation, or it declares entities")
        objects = ElementTree.fromstring(text).iter("object")
        return tuple(sorted({(entry.findtext("name") or "").strip() for entry in objects}))
    except FileNotFoundError:
        source.problems.append((str(path), "missing: labels come from its boxes"))
    except (ElementTree.ParseError, ValueError) as error:
        source.problems.append((str(path), f"not a readable annotation: {error}"))
    return ()
