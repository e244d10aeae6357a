"""A contact sheet for a report: the same pictures at each rung side by side, small enough for Prefect's UI.

The stage `gallery` has drawn the tiles: reports/gallery/RUNG/tiles/ID/NAME.webp.
"""

import base64
import io
from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from pipeline.project.tables import read_csv

PICTURES = 6
LIMIT = 300_000  # bytes of all sheets as text: Prefect keeps them in its database
SIDES = (144, 112, 96, 80, 64, 48)  # pixels of a cell, the first that fits
COLOURS, PAPER = 96, (250, 250, 248)
GAP, HEADER = 4, 16

Columns = dict[str, list[Path]]  # files by the column's name, a row per picture


def sheets(folder: Path, rungs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Split and data URI of a sheet per split, of rungs given as name and split in reports/gallery."""
    splits: dict[str, list[str]] = {}
    for rung, split in rungs:
        if (folder / rung / "tiles" / "index.csv").is_file():
            splits.setdefault(split, []).append(rung)
    made: list[tuple[str, str]] = []
    for side in SIDES:
        made = [(split, _uri(sheet(columns(folder, names), side))) for split, names in splits.items()]
        if sum(len(uri) for _, uri in made) < LIMIT:
            return made
    return []


def columns(folder: Path, rungs: list[str]) -> Columns:
    """The picture, its truth where all have one, and the labels of each rung of one split."""
    first = folder / rungs[0] / "tiles"
    ids = [row["id"] for row in read_csv(first / "index.csv") if "sample" in row["chosen"].split(";")][
        :PICTURES
    ]
    known = {name: [first / i / f"{name}.webp" for i in ids] for name in ("picture", "truth")}
    found = {name: files for name, files in known.items() if all(file.is_file() for file in files)}
    return found | {rung: [folder / rung / "tiles" / i / "labels.webp" for i in ids] for rung in rungs}


def sheet(cells: Columns, side: int) -> Image.Image:
    """A row per picture, the columns in their order; cells at most `side` pixels wide and high."""
    rows = len(next(iter(cells.values())))
    size = (len(cells) * (side + GAP) - GAP, HEADER + rows * (side + GAP) - GAP)
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    for column, (name, files) in enumerate(cells.items()):
        x = column * (side + GAP)
        draw.text((x, 1), name, (90, 90, 90), ImageFont.load_default(11))
        for row, file in enumerate(files):
            with Image.open(file) as cell:
                small = cell.convert("RGB")
            small.thumbnail((side, side), Image.Resampling.BOX)
            image.paste(small, (x, HEADER + row * (side + GAP)))
    return image


def _uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
