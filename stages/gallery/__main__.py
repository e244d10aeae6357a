"""Draw chosen pictures at one rung into reports/gallery/<rung>/, for the page: `... RUNG FOLDER-OF-DATA`.

All rungs of a split choose the same pictures, by the scores of all of them. index.csv says why each was
chosen, and its score here. It is a step of its own so that what it makes can come back from DVC's run
cache, which keeps no step that has files in git, as the report has.
"""

import csv
import math
import sys
from pathlib import Path

from stages.common import door
from stages.common.artifacts import (
    csv_text,
    from_text,
    output_folder,
    read_json,
    read_mask,
    read_picture,
    write_atomic,
)
from stages.common.drawing.tiles import choose, tiles
from stages.common.params import Fraction, load
from stages.common.pictures import Picture, Pictures, load_pictures
from stages.common.progress import track
from stages.evaluation.params import Rungs
from stages.evaluation.results import read_labels
from stages.evaluation.rungs import REPORTS, SCORES, Rung, rung
from stages.gallery.params import Gallery

MASKS, OUT = Path("data/masks"), REPORTS / "gallery"
COLUMNS = ("id", "split", "width", "height", "labels", "chosen", "miou")


class Scored(Rungs):
    """What the step reads of the section `evaluation`."""

    threshold: Fraction


def main() -> str:
    if len(sys.argv) != 3:
        raise ValueError("name a rung and its folder of data/: python -m stages.gallery seeds seeds")
    name, found = sys.argv[1], rung(sys.argv[2])
    params, evaluation = load("gallery", Gallery), load("evaluation", Scored, "gallery")
    splits = {one: _split(one) for one in evaluation.rungs}
    split = splits[name]
    scores = {one: _scores(one) for one in evaluation.rungs if splits[one] == split}
    pictures = load_pictures()
    known = {picture.id: picture for picture in pictures.split(split)}
    ladders = {i: [_number(values.get(i)) for values in scores.values()] for i in known}
    scored = {i: values for i, values in ladders.items() if not any(map(math.isnan, values))}
    chosen = choose(list(known), scored, params.pictures, params.extremes)
    rows = [COLUMNS]
    with output_folder(OUT / name) as out:
        for identifier, why in track(chosen.items(), len(chosen), f"gallery of {name}"):
            picture = known[identifier]
            for tile, content in _tiles(picture, found, pictures, evaluation.threshold, params.side).items():
                write_atomic(out / identifier / f"{tile}.webp", content)
            labels = ";".join(pictures.classes[label] for label in picture.labels)
            size = str(picture.width), str(picture.height)
            rows.append((identifier, split, *size, labels, ";".join(why), scores[name].get(identifier, "")))
        write_atomic(out / "index.csv", csv_text(rows))
    return f"gallery: {len(rows) - 1} pictures of {split} at {name}"


def _split(name: str) -> str:
    return str(read_json(SCORES / name / "metrics.json")["split"])


def _scores(name: str) -> dict[str, str]:
    """mIoU by picture, as the evaluation wrote it."""
    with (SCORES / name / "per_picture.csv").open(newline="") as lines:
        return {from_text(row["id"]): row["miou"] for row in csv.DictReader(lines)}


def _number(text: str | None) -> float:
    return float(text) if text else math.nan


def _tiles(
    picture: Picture, found: Rung, pictures: Pictures, threshold: float, side: int
) -> dict[str, bytes]:
    image, mask = read_picture(picture.path), MASKS / f"{picture.id}.png"
    truth = read_mask(mask) if mask.is_file() else None
    labels = read_labels(found.file(picture.id), image.shape[:2], len(pictures.classes), threshold)
    return tiles(image, truth, {"": labels}, side)


if __name__ == "__main__":
    door.run("gallery")
