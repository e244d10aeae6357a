"""One picture through the recipe: `python -m stages.commands.show ID --tiles FOLDER [--png FILE]`.

Writes FOLDER/steps.json and a picture of each tile, from which `wsss show` makes its table and its page;
and on request all of it as one PNG.
"""

import argparse
import difflib
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stages.commands.show.case import Case, Step
from stages.commands.show.sheet import sheet
from stages.commands.show.steps import all_steps
from stages.common import command
from stages.common.artifacts import read_mask, read_picture, write_atomic, write_json
from stages.common.drawing.colours import colour, css
from stages.common.drawing.sheet import ERRORS
from stages.common.pictures import ROOT as DATASET
from stages.common.pictures import Pictures, load_pictures

MASKS = Path("data/masks")
LARGEST, SMALL = 640, 256  # pixels
QUALITY, LOSSLESS = 88, 101  # of WebP; above 100 it is lossless


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="wsss show")
    parser.add_argument("id")
    parser.add_argument("--tiles", required=True, type=Path)
    parser.add_argument("--png", type=Path)
    parser.add_argument(
        "--note", action="append", default=[], help="STEP=TEXT, to stand with what it is about"
    )
    asked = parser.parse_args(arguments)
    case = read_case(asked.id)
    steps = noted(all_steps(case), dict(note.split("=", 1) for note in asked.note))
    save(asked.tiles, case, steps)
    if asked.png:
        write_atomic(asked.png, sheet(case, steps))
    return 0


def noted(steps: list[Step], notes: dict[str, str]) -> list[Step]:
    """The steps; what is known of one that has a result stands with what it is about."""
    return [
        step if step.absent or step.name not in notes
        else replace(step, about=f"{step.about}; {notes[step.name]}".removeprefix("; "))
        for step in steps
    ]  # fmt: skip


def read_case(identifier: str) -> Case:
    """ValueError with the nearest ids if there is no such picture."""
    if not (DATASET / "index.csv").is_file():
        raise ValueError(f"{DATASET} is missing: `wsss run dataset` makes it")
    pictures = load_pictures()
    found = {picture.id: picture for picture in pictures.all}.get(identifier)
    if found is None:
        raise ValueError(f"no picture {identifier} in data/dataset{nearest(identifier, pictures)}")
    mask = MASKS / f"{identifier}.png"
    truth = read_mask(mask) if mask.is_file() else None
    return Case(found, read_picture(found.path), truth, pictures.classes)


def nearest(identifier: str, pictures: Pictures) -> str:
    near = difflib.get_close_matches(Path(identifier).stem, [p.id for p in pictures.all], n=3, cutoff=0.4)
    return f"; did you mean {', '.join(near)}?" if near else f", which holds {len(pictures.all)}"


def save(folder: Path, case: Case, steps: list[Step]) -> None:
    saved = []
    for row, step in enumerate(steps):
        tiles = []
        for column, tile in enumerate(step.tiles):
            name = f"{row}-{column}.webp"
            write_atomic(folder / name, webp(tile.drawing))
            tiles.append({"title": tile.title, "file": name, "iou": tile.iou})
        saved.append(
            {"name": step.name, "about": step.about, "absent": step.absent, "iou": step.iou, "tiles": tiles}
        )
    write_atomic(folder / "picture.webp", webp(case.rgb))
    write_json(folder / "steps.json", {**about(case), "steps": saved})


def about(case: Case) -> dict[str, Any]:
    """What the head of the page says; colours of its classes and of errors."""
    seen = set(case.picture.labels) | (set() if case.truth is None else set(np.unique(case.truth).tolist()))
    return {
        "id": case.picture.id,
        "split": case.picture.split,
        "width": case.picture.width,
        "height": case.picture.height,
        "labels": [case.classes[index] for index in case.picture.labels],
        "colours": [
            (case.classes[index], css(colour(index)))
            for index in sorted(seen)
            if 0 < index < len(case.classes)
        ],
        "errors": [(name, css(shade)) for name, shade in ERRORS.items()],
    }


def webp(drawing: np.ndarray) -> bytes:
    """WebP of at most LARGEST pixels a side; to the pixel where it is small, as pixels can be seen then."""
    height, width = drawing.shape[:2]
    scale = min(1, LARGEST / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        drawing = cv2.resize(drawing, size, interpolation=cv2.INTER_AREA)
    quality = LOSSLESS if max(drawing.shape) <= SMALL else QUALITY
    done, content = cv2.imencode(
        ".webp", cv2.cvtColor(drawing, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, quality]
    )
    assert done
    return content.tobytes()


if __name__ == "__main__":
    command.run("stages.commands.show.__main__")
