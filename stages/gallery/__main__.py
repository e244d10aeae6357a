"""Draw the same pictures at every rung into reports/gallery/, for the page of the report.

index.csv says why each was chosen, and its score at each rung. It is a step of its own so that what it
makes can come back from DVC's run cache, which keeps no step that has files in git, as the report has.
"""

import csv
import math
from pathlib import Path

from stages.common import door
from stages.common.artifacts import csv_text, from_text, output_folder, read_mask, read_picture, write_atomic
from stages.common.params import Fraction, Section, load
from stages.common.pictures import Picture, Pictures, load_pictures
from stages.common.progress import track
from stages.evaluation.results import read_labels
from stages.evaluation.rungs import REPORTS, RUNGS, Rung
from stages.gallery.params import Gallery
from stages.gallery.tiles import choose, tiles

MASKS, OUT = Path("data/masks"), REPORTS / "gallery"
COLUMNS = ("id", "split", "width", "height", "labels", "chosen", *RUNGS)


class Threshold(Section):
    """What the step reads of the section `evaluation`."""

    threshold: Fraction


def main() -> str:
    params, threshold = load("gallery", Gallery), load("evaluation", Threshold, "gallery").threshold
    pictures = load_pictures()
    scores = {name: _scores(name) for name in RUNGS}
    rows = [COLUMNS]
    with output_folder(OUT) as out:
        for split in dict.fromkeys(rung.split for rung in RUNGS.values()):
            rungs = {name: rung for name, rung in RUNGS.items() if rung.split == split}
            known = {picture.id: picture for picture in pictures.split(split)}
            ladders = {i: [_number(scores[name].get(i)) for name in rungs] for i in known}
            scored = {i: values for i, values in ladders.items() if not any(map(math.isnan, values))}
            chosen = choose(list(known), scored, params.pictures, params.extremes)
            for identifier, why in track(chosen.items(), len(chosen), f"gallery of {split}"):
                picture = known[identifier]
                for name, content in _tiles(picture, rungs, pictures, threshold, params.side).items():
                    write_atomic(out / identifier / f"{name}.webp", content)
                labels = ";".join(pictures.classes[label] for label in picture.labels)
                size = str(picture.width), str(picture.height)
                found = [scores[name].get(identifier, "") for name in RUNGS]
                rows.append((identifier, split, *size, labels, ";".join(why), *found))
        write_atomic(out / "index.csv", csv_text(rows))
    return f"gallery: {len(rows) - 1} pictures at {len(RUNGS)} rungs"


def _scores(rung: str) -> dict[str, str]:
    """mIoU by picture, as the evaluation wrote it."""
    with (REPORTS / rung / "per_picture.csv").open(newline="") as lines:
        return {from_text(row["id"]): row["miou"] for row in csv.DictReader(lines)}


def _number(text: str | None) -> float:
    return float(text) if text else math.nan


def _tiles(
    picture: Picture, rungs: dict[str, Rung], pictures: Pictures, threshold: float, side: int
) -> dict[str, bytes]:
    image, mask = read_picture(picture.path), MASKS / f"{picture.id}.png"
    truth = read_mask(mask) if mask.is_file() else None
    count = len(pictures.classes)
    results = {
        name: read_labels(rung.file(picture.id), image.shape[:2], count, threshold)
        for name, rung in rungs.items()
    }
    return tiles(image, truth, results, side)


if __name__ == "__main__":
    door.run("gallery")
