"""What a folder of pictures looks like, so that a message can say what it lacks. Nothing is converted."""

from pathlib import Path

from stages.dataset.files import SUFFIXES

NEEDED = "images/ and labels.csv with the columns file,split,labels"
LOOSE = "pictures beside each other, without a folder images/"
IMPORTED = {  # the format of `wsss import`, by the first word of a layout that is known
    "Roboflow's": "onehot", "COCO": "coco", "labelme": "labelme", "CVAT": "cvat", "XML": "voc",
    "YOLO": "yolo", "ImageFolder": "imagefolder",
}  # fmt: skip
VOC_PLACES = (".", "VOC2012", "VOCdevkit/VOC2012", "VOC2007", "VOCdevkit/VOC2007")
TABLES = (".csv", ".tsv", ".xls", ".xlsx", ".ods")
MOST = 2000  # entries of a folder that are looked at
HEAD = 1 << 16  # bytes of a JSON or XML file that are looked at


def voc_base(root: Path) -> Path | None:
    """The folder that holds JPEGImages, in the places where the VOC devkit has it."""
    return next((root / place for place in VOC_PLACES if (root / place / "JPEGImages").is_dir()), None)


def layout(root: Path) -> str:
    """voc or folder, the two that are read; or the name of a layout that is known; or an empty text."""
    if voc_base(root):
        return "voc"
    if (root / "labels.csv").is_file() and (root / "images").is_dir():
        return "folder"
    files, folders = _entries(root)
    inner = {path: _entries(path) for path in folders[:50]}
    near = [*files, *(file for found, _ in inner.values() for file in found)]
    names = {file.name for file in near}
    if "_classes.csv" in names:
        return "Roboflow's multi-label export (_classes.csv)"
    if any(_holds(file, '"annotations"', '"categories"', '"bbox"', coco=True) for file in _of(near, ".json")):
        return "COCO (a JSON of annotations)"
    if any(_holds(file, '"imagePath"', '"shapes"') for file in _of(near, ".json")):
        return "labelme (a JSON beside each picture)"
    if any(_holds(file, "<annotations", "<image ") for file in _of(near, ".xml")):
        return "CVAT for images (annotations.xml)"
    if any(_holds(file, "<annotation", "<object") for file in _of(near, ".xml")):
        return "XML files of boxes (as VOC's, but without JPEGImages, Annotations and ImageSets)"
    if names & {"data.yaml", "data.yml"} or (root / "labels").is_dir():
        return "YOLO (data.yaml, labels/*.txt)"
    if _classes_as_folders(inner):
        return "ImageFolder (a folder per class)"
    if any(file.suffix.lower() in SUFFIXES for file in files):
        return LOOSE
    return ""


def looks_like(root: Path) -> str:
    """A sentence on what is there instead of the layout `folder`, and what to do."""
    found = layout(root)
    if found == "voc":
        return "this is the VOC layout: set dataset.source to voc"
    if found.startswith("COCO") and any((root / "annotations").glob("instances_*.json")):
        splits = "dataset.train and dataset.val to its splits, as train2017"
        return f"this is COCO's own layout: set dataset.source to coco, and {splits}"
    files, folders = _entries(root)
    tables = [file.name for file in files if file.suffix.lower() in TABLES]
    if "labels.csv" in tables and (near := _classes_as_folders({path: _entries(path) for path in folders})):
        return f"labels.csv is there, the folder images is not: is it {near}? Then rename that"
    if found == LOOSE:
        return f"there are {LOOSE}: needed is {NEEDED}"
    if found:
        made = f"`wsss import {IMPORTED[found.split()[0]]} {root} --out FOLDER` makes that"
        return f"it looks like {found}, and needed is {NEEDED}; {made}"
    other = f"; there is {', '.join(tables[:5])}: is it one of these?" if tables else ""
    return f"needed is {NEEDED}{other}"


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files and folders of a folder, by name, without hidden ones; none of what cannot be read."""
    try:
        found = sorted(path for path, _ in zip(folder.iterdir(), range(MOST), strict=False))
    except OSError:  # it only helps a message, which is there without it
        return [], []
    found = [path for path in found if not path.name.startswith(".")]
    return [path for path in found if path.is_file()], [path for path in found if path.is_dir()]


def _of(files: list[Path], suffix: str) -> list[Path]:
    return [file for file in files if file.suffix.lower() == suffix][:5]


def _holds(file: Path, *words: str, coco: bool = False) -> bool:
    """Whether the file begins so: all of the words, or with `coco` two or a name that says it."""
    if coco and (file.name.startswith("instances_") or file.name.endswith("coco.json")):
        return True
    try:
        with file.open("rb") as opened:
            head = opened.read(HEAD).decode("utf-8", "replace")
    except OSError:  # it only helps a message
        return False
    return sum(word in head for word in words) >= (2 if coco else len(words))


def _classes_as_folders(inner: dict[Path, tuple[list[Path], list[Path]]]) -> str:
    """The first folder of pictures, at the top or below train, val and such; "" if there is none."""
    for place, (files, folders) in inner.items():
        if place.name == "images":
            continue
        deeper = [file for folder in folders[:3] for file in _entries(folder)[0]]
        if any(file.suffix.lower() in SUFFIXES for file in [*files[:5], *deeper[:5]]):
            return place.name
    return ""
