"""What is in the data set: counts by class and split, classes that occur together, sizes."""

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from statistics import median

from pipeline.project import tables
from pipeline.project.tables import Table, read_csv
from stages.dataset.words import about, class_counts, said

SPLITS = ("train", "val")
PAIRS = 20  # of classes that occur together: the most frequent are shown


@dataclass(frozen=True)
class DataSet:
    """data/dataset as its index says: one row per picture (id, file, split, width, height, labels)."""

    classes: list[str]  # with "background" first
    pictures: Table
    scored: dict[str, int]  # by split: pictures that have a mask
    warnings: list[str] = field(default_factory=list)  # what the step `dataset` found odd
    drawn: str = ""  # what people drew on the pictures of train, in words


def read(root: Path) -> DataSet:
    """Raises ValueError where the recipe has made no data set yet."""
    folder = root / "data" / "dataset"
    if not (folder / "index.csv").is_file():
        raise ValueError("data/dataset is missing: `wsss run dataset` makes it")
    classes = json.loads((folder / "classes.json").read_text())
    scored = Counter(row["split"] for row in read_csv(root / "data" / "masks" / "index.csv"))
    drawings = root / "data" / "annotations"
    odd = [place / "warnings.txt" for place in (folder, root / "data" / "masks", drawings)]
    files = [file.read_text(encoding="utf-8") for file in odd if file.is_file()]
    warnings = [line for text in files for line in text.splitlines()]
    file = drawings / "about.json"
    drawn = said(json.loads(file.read_text())) if file.is_file() else ""
    return DataSet(classes, read_csv(folder / "index.csv"), dict(scored), warnings, drawn)


def labels(picture: dict[str, str]) -> list[str]:
    return [name for name in picture["labels"].split(";") if name]


def supervision(data: DataSet) -> str:
    """What there is to learn from."""
    return f"image labels and {data.drawn}" if data.drawn else "image labels alone"


def counts(data: DataSet) -> Table:
    """By class: pictures of each split that show it, and their share of the split in percent."""
    found = {
        split: Counter(n for p in data.pictures if p["split"] == split for n in labels(p)) for split in SPLITS
    }
    total = Counter(p["split"] for p in data.pictures)
    return [
        {"class": name}
        | {split: str(found[split][name]) for split in SPLITS}
        | {f"{split} %": f"{100 * found[split][name] / max(total[split], 1):.1f}" for split in SPLITS}
        for name in data.classes[1:]
    ]


def splits(data: DataSet) -> Table:
    """By split: pictures, those with a mask, labels per picture, and the sizes in pixels."""
    return [_split(data, split) for split in SPLITS]


def _split(data: DataSet, split: str) -> dict[str, str]:
    pictures = [p for p in data.pictures if p["split"] == split]
    row = {"split": split, "pictures": str(len(pictures)), "with a mask": str(data.scored.get(split, 0))}
    if not pictures:
        return row | {"no class": "", "labels each": "", "smallest": "", "median": "", "largest": ""}
    sizes = sorted((int(p["width"]) * int(p["height"]), f"{p['width']}x{p['height']}") for p in pictures)
    middle = f"{median(int(p['width']) for p in pictures):g}x{median(int(p['height']) for p in pictures):g}"
    each = sum(len(labels(p)) for p in pictures) / len(pictures)
    return row | {
        "no class": str(sum(not labels(p) for p in pictures)),
        "labels each": f"{each:.2f}", "smallest": sizes[0][1], "median": middle, "largest": sizes[-1][1],
    }  # fmt: skip


def together(data: DataSet) -> Table:
    """The pairs of classes that most training pictures show both of, and how many do.

    Where one nearly always comes with the other, image-level labels cannot tell them apart.
    """
    pairs = Counter(
        pair
        for p in data.pictures
        if p["split"] == "train"
        for pair in combinations([name for name in data.classes if name in labels(p)], 2)
    )
    first = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:PAIRS]
    return [{"class": one, "with": other, "pictures": str(count)} for (one, other), count in first]


def show(data: DataSet) -> None:
    """Print all of it."""
    tables.show("Splits", splits(data))
    tables.show("Pictures by class", counts(data))
    if pairs := together(data):
        tables.show("Seen together, in training pictures", pairs, ("class", "with"))
    pictures = [(picture["split"], labels(picture)) for picture in data.pictures]
    print(f"supervision: {supervision(data)}")
    print("\n".join(about(class_counts(data.classes[1:], pictures), data.warnings)))
