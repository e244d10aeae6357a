"""Gather the rungs: the ladder and its tables in reports/, and the gallery of the page.

reports/ladder.csv, ladder.md, metrics.json and per_class.csv are percent with two decimals, as the
evaluation wrote them; nothing is computed again. reports/gallery/ holds the same pictures at every rung,
and index.csv: why each was chosen and its scores.
"""

import csv
import math
from pathlib import Path

from stages.common import door
from stages.common.artifacts import (
    csv_text,
    output_folder,
    read_json,
    read_mask,
    read_picture,
    write_atomic,
    write_json,
)
from stages.common.params import Fraction, Section, load
from stages.common.pictures import Picture, Pictures, load_pictures
from stages.common.progress import track
from stages.evaluation.results import read_labels
from stages.evaluation.rungs import REPORTS, RUNGS, Rung
from stages.report import gallery, ladder
from stages.report.params import Report

MASKS = Path("data/masks")


class Threshold(Section):
    """What the stage reads of the section `evaluation`."""

    threshold: Fraction


def main() -> str:
    for name in RUNGS:
        if not (REPORTS / name / "metrics.json").is_file():
            raise ValueError(f"rung {name} has no metrics.json: run `dvc repro evaluation@{name}`")
    params, threshold = load("report", Report), load("evaluation", Threshold, "report").threshold
    rungs = {name: read_json(REPORTS / name / "metrics.json") for name in RUNGS}
    tables = {name: _column(name, "per_class.csv", "class", "iou") for name in RUNGS}
    rows = ladder.rows(rungs)
    _write_gallery(params, threshold)
    write_atomic(REPORTS / "ladder.csv", csv_text(rows))
    write_atomic(REPORTS / "ladder.md", ladder.markdown(rows, text_columns=2))
    write_atomic(REPORTS / "per_class.csv", csv_text(ladder.per_class(tables)))
    write_json(REPORTS / "metrics.json", ladder.headline(rungs))
    steps = [f"{name} {values['miou']:.2f}" for name, values in rungs.items() if "miou" in values]
    return "report: " + (f"mIoU {', '.join(steps)} %" if steps else "no truth, an empty ladder")


def _column(rung: str, table: str, key: str, column: str) -> dict[str, str]:
    with (REPORTS / rung / table).open(newline="") as lines:
        return {row[key]: row[column] for row in csv.DictReader(lines)}


def _write_gallery(params: Report, threshold: float) -> None:
    pictures = load_pictures()
    scores = {name: _column(name, "per_picture.csv", "id", "miou") for name in RUNGS}
    rows = [("id", "split", "width", "height", "labels", "chosen", *RUNGS)]
    with output_folder(REPORTS / "gallery") as out:
        for split in dict.fromkeys(rung.split for rung in RUNGS.values()):
            rungs = {name: rung for name, rung in RUNGS.items() if rung.split == split}
            known = {p.id: p for p in pictures.split(split)}
            ladders = {i: [_number(scores[name].get(i)) for name in rungs] for i in known}
            scored = {i: values for i, values in ladders.items() if not any(map(math.isnan, values))}
            chosen = gallery.choose(list(known), scored, params.pictures, params.extremes)
            for identifier, why in track(chosen.items(), len(chosen), f"gallery of {split}"):
                picture = known[identifier]
                files = _tiles(picture, rungs, pictures, threshold, params.side)
                for name, content in files.items():
                    write_atomic(out / identifier / f"{name}.webp", content)
                labels = ";".join(pictures.classes[label] for label in picture.labels)
                cells = [scores[name].get(identifier, "") for name in RUNGS]
                size = str(picture.width), str(picture.height)
                rows.append((identifier, split, *size, labels, ";".join(why), *cells))
        write_atomic(out / "index.csv", csv_text(rows))


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
    return gallery.tiles(image, truth, results, side)


if __name__ == "__main__":
    door.run("report")
