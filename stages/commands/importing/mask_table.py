"""Masks as people store them: what a value or a colour means, and class indices of a file.

A mask is read as one number per pixel: the value of a grey picture (also of 16 bits, 255 for the white of 1
bit) or the index of a palette; by colours as 0xRRGGBB, of RGB pictures and of palettes.
"""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stages.common.artifacts import UNKNOWN
from stages.dataset.decode import frames, open_image, orientation
from stages.dataset.decode_mask import CHANGING, LOSSLESS
from stages.dataset.depth import png_bits
from stages.dataset.files import read_file
from stages.dataset.labels import clean, fold
from stages.dataset.records import read_text

MEGAPIXELS = 1000.0  # of a mask, at most: the step `dataset` has the limit that counts
VOID = "void"


@dataclass(frozen=True)
class Values:
    """int64 [H, W]. `kind` is grey, palette or colour; `palette` the colours of the indices that are used."""

    numbers: np.ndarray
    kind: str
    palette: dict[int, int] = field(default_factory=dict)

    def by_colour(self) -> np.ndarray:
        """0xRRGGBB, int64 [H, W]."""
        if self.kind == "colour":
            return self.numbers
        if self.kind == "grey":
            return self.numbers * 0x10101
        table = np.zeros(256, np.int64)
        table[list(self.palette)] = list(self.palette.values())
        return table[self.numbers]


def read_values(path: Path) -> Values:
    """ValueError saying what is wrong with the file, without its name."""
    try:
        content = read_file(path, int(MEGAPIXELS * 8e6))
    except FileNotFoundError:
        raise ValueError("is missing") from None
    image = open_image(content, MEGAPIXELS, (*LOSSLESS, *CHANGING))
    if image.format in CHANGING or image.info.get("compression") == "jpeg":
        raise ValueError(f"is stored as {image.format} may be, which changes values: save it as PNG")
    if frames(image) > 1:
        raise ValueError("holds several pictures: save one as PNG")
    if orientation(image) != 1:
        raise ValueError("is turned by its own EXIF orientation: save it upright")
    values = np.asarray(image)
    if image.mode == "P":
        colours = np.array(image.getpalette("RGB"), np.int64).reshape(-1, 3) @ (0x10000, 0x100, 1)
        used = [index for index in np.unique(values).tolist() if index < len(colours)]
        return Values(values.astype(np.int64), "palette", {i: int(colours[i]) for i in used})
    if image.mode == "1":
        return Values(np.where(values, UNKNOWN, 0), "grey")
    bits = png_bits(content) if image.format == "PNG" else 8
    if image.mode == "L" and 0 < bits < 8:  # Pillow gives the index 3 of 2 bits as 255
        return Values(values.astype(np.int64) // (UNKNOWN // (2**bits - 1)), "grey")
    if image.mode not in ("I", "L") and not image.mode.startswith("I;16") and bits > 8:
        raise ValueError(f"is {image.mode} of {bits} bits: save it with 8")
    if image.mode in ("L", "I") or image.mode.startswith("I;16"):
        return Values(values.astype(np.int64), "grey")
    if image.mode in ("LA", "RGBA") and values[..., -1].min() < UNKNOWN:
        raise ValueError("is transparent in parts: save it without")
    if image.mode == "LA":
        return Values(values[..., 0].astype(np.int64), "grey")
    if image.mode in ("RGB", "RGBA"):
        channels = values[..., :3].astype(np.int64)
        if (channels == channels[..., :1]).all():
            return Values(channels[..., 0], "grey")
        return Values(channels @ (0x10000, 0x100, 1), "colour")
    raise ValueError(f"is {image.mode}, neither grey nor palette nor RGB")


@dataclass(frozen=True)
class MaskTable:
    """The index of each number. `of_labels`: 255 is the one class of the picture's label, by `classes`."""

    indices: Mapping[int, int]
    coloured: bool = False
    threshold: int | None = None
    of_labels: Mapping[str, int] | None = None

    def numbers(self, values: Values) -> np.ndarray:
        """int64 [H, W], past the threshold: what the table is asked for. ValueError for one of colours."""
        if self.coloured:
            return values.by_colour()
        if values.kind == "colour":
            raise ValueError("is RGB of several colours, and the table has no colours")
        if self.threshold is None:
            return values.numbers
        return np.where(values.numbers > self.threshold, UNKNOWN, 0)

    def read(self, path: Path, labels: set[str]) -> np.ndarray:
        """Class indices, uint8 [H, W], of the mask of a picture with `labels`."""
        numbers = self.numbers(read_values(path))
        found, inverse = np.unique(numbers, return_inverse=True)
        table = dict(self.indices)
        if self.of_labels is not None and UNKNOWN in found:
            if len(labels) != 1:
                said = f"{len(labels)} labels" if labels else "no label"
                raise ValueError(f"holds 255, and its picture has {said}: which class is it?")
            table[UNKNOWN] = self.of_labels[next(iter(labels))]
        if strange := [shown(n, self.coloured) for n in found.tolist() if n not in table]:
            raise ValueError(f"holds {', '.join(strange[:5])}, which the table does not name")
        indices = np.array([table[number] for number in found.tolist()], np.uint8)
        return indices[inverse].reshape(numbers.shape)


def shown(number: int, coloured: bool) -> str:
    return f"#{number:06x}" if coloured else str(number)


def read_table(path: Path) -> tuple[dict[str, list[int]], bool]:
    """The numbers of each name of a table with the columns class,colour, and whether they are colours.

    A colour is #rrggbb, or the value of grey or index of a palette; `background` and `void` may be among the
    names. ValueError saying what is wrong, with the line.
    """
    reader = csv.reader(io.StringIO(read_text(path)), skipinitialspace=True)
    header = [clean(name).lower() for name in next(reader, [])]
    if header[:2] != ["class", "colour"]:
        raise ValueError(f"{path}: its first line is {','.join(header)[:80]!r}, needed is class,colour")
    names: dict[str, list[int]] = {}
    kinds, taken = set(), set()
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        name, text = clean(row[0]), row[1].strip() if len(row) > 1 else ""
        coloured = re.fullmatch("#[0-9a-fA-F]{6}", text) is not None
        if not name or not (coloured or re.fullmatch("[0-9]{1,5}", text)):
            raise ValueError(f"{path}:{reader.line_num}: {','.join(row)!r}: write NAME,#rrggbb or NAME,VALUE")
        kinds.add(coloured)
        number = int(text[1:], 16) if coloured else int(text)
        if number in taken:
            raise ValueError(f"{path}:{reader.line_num}: {text} is there twice")
        taken.add(number)
        names.setdefault(fold(name) if fold(name) in ("background", VOID) else name, []).append(number)
    if len(kinds) != 1:
        problem = "has #rrggbb and values: use one of both" if kinds else "names no class"
        raise ValueError(f"{path}: {problem}")
    return names, kinds.pop()
