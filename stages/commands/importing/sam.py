"""Masks of one picture as SAM's own scripts write them (github.com/facebookresearch/segment-anything).

A folder with 0.png, 1.png ... and metadata.csv, as scripts/amg.py makes it; a JSON list of
{"segmentation": {"size", "counts"}}, as it does with --convert-to-rle; or SA-1B's JSON, an object with such a
list as "annotations" and the picture as "image".
"""

import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from stages.dataset.fields import number, numbers, read_json, short, take
from stages.dataset.runs import checked, coco_counts, lengths

TABLE = "metadata.csv"


class Masks(NamedTuple):
    """`size` (height, width), None where there is no mask to tell it; the lengths of runs of each mask."""

    size: tuple[int, int] | None
    runs: list[list[int]]


def is_folder(path: Path) -> bool:
    """Whether a folder is one of a picture's masks."""
    return (path / TABLE).is_file() or (path / "0.png").is_file()


def read(path: Path) -> Masks:
    """ValueError saying what is wrong."""
    found = _of_folder(path) if path.is_dir() else _of_json(path)
    return Masks(found.size, [runs for runs in found.runs if sum(runs[1::2])])


def _of_folder(path: Path) -> Masks:
    files = sorted((file for file in path.glob("*.png") if file.stem.isdecimal()), key=lambda f: int(f.stem))
    if (path / TABLE).is_file():
        with (path / TABLE).open(newline="", encoding="utf-8") as table:
            rows = sum(1 for row in csv.reader(table) if row) - 1
        if rows != len(files):
            raise ValueError(f"{TABLE} lists {rows} masks, there are {len(files)}")
    found = Masks(None, [])
    for file in files:
        mask = _mask(file)
        if found.size not in (None, mask.shape):
            raise ValueError(f"{file.name} is {_text(mask.shape)}, those before it are {_text(found.size)}")
        found = Masks(mask.shape, [*found.runs, lengths(mask.T.ravel())])
    return found


def _mask(file: Path) -> np.ndarray:
    """bool [H, W] of a PNG of 0 and 255."""
    try:
        with Image.open(file, formats=("PNG",)) as image:
            values = np.asarray(image)
    except Exception as error:  # Pillow's readers raise nearly any kind on damaged files
        raise ValueError(f"{file.name} is no readable PNG: {error}") from None
    if values.ndim != 2 or not np.isin(values, (0, 255) if values.dtype != bool else (0, 1)).all():
        raise ValueError(f"{file.name} is no mask of amg.py: a grey PNG of 0 and 255")
    return values > 0


def _of_json(path: Path) -> Masks:
    content = read_json(path)
    size = None
    if isinstance(content, dict):
        image = take(content, "image", dict)
        size = take(image, "height", int), take(image, "width", int)
        content = take(content, "annotations", list)
    if not isinstance(content, list):
        raise ValueError(f"is {short(content)}, not SAM's list of masks")
    found = Masks(size, [])
    for place, entry in enumerate(content):
        try:
            own, runs = _runs(entry)
            if found.size not in (None, own):
                raise ValueError(f"is of {_text(own)}, not {_text(found.size)}")
        except ValueError as error:
            raise ValueError(f"mask {place}: {error}") from None
        found = Masks(own, [*found.runs, runs])
    return found


def _runs(entry: Any) -> tuple[tuple[int, int], list[int]]:
    """The size and the runs of one mask, compressed or as a list."""
    written = take(entry, "segmentation", dict)
    height, width = (int(side) for side in numbers(take(written, "size", list), 2))
    counts = written.get("counts")
    runs = coco_counts(counts) if isinstance(counts, str) else [int(number(one)) for one in _listed(counts)]
    checked(runs, (height, width))
    return (height, width), runs


def _listed(counts: object) -> list[Any]:
    if not isinstance(counts, list):
        raise ValueError(f"'counts' is {short(counts)}, neither a text nor a list")
    return counts


def _text(size: tuple[int, ...] | None) -> str:
    return "x".join(map(str, reversed(size or ())))
