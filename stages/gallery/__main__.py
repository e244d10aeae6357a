"""Draw one rung into reports/gallery/<rung>/: `python -m stages.gallery RUNG FOLDER-OF-DATA`.

tiles/ holds chosen pictures, small, for the page: all rungs of a split choose the same, by the scores of
all of them; tiles/index.csv says why, and the score here. sheet.png has pictures, truth, result and errors
side by side, confusion.png the table of counts. No number is made here, so a colour scores nothing again.
"""

import csv
import dataclasses
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
from stages.common.drawing import sheet
from stages.common.drawing.colours import OBJECT
from stages.common.drawing.heat_map import heat_map
from stages.common.drawing.tiles import choose, tiles
from stages.common.labels import as_objects
from stages.common.params import Fraction, load
from stages.common.pictures import Picture, Pictures, load_pictures
from stages.common.progress import track
from stages.evaluation.names import MERGED
from stages.evaluation.params import Rungs
from stages.evaluation.results import read_labels
from stages.evaluation.rungs import REPORTS, SCORES, Rung, rung
from stages.evaluation.tables import read_confusion
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
    scores = _comparable({one: _scores(one) for one in evaluation.rungs if splits[one] == split})
    pictures = load_pictures()
    known = {picture.id: picture for picture in pictures.split(split)}
    ladders = {i: [_number(values.get(i)) for values in scores.values()] for i in known}
    scored = {i: values for i, values in ladders.items() if not any(map(math.isnan, values))}
    chosen = choose(list(known), scored, params.pictures, params.extremes)
    own, rows = _scores(name), [COLUMNS]
    with output_folder(OUT / name / "tiles") as out:
        for identifier, why in track(chosen.items(), len(chosen), f"gallery of {name}"):
            picture = known[identifier]
            row = _row(picture, found, pictures, evaluation.threshold)
            for tile, content in _tiles(row, found.merged, params.side).items():
                write_atomic(out / identifier / f"{tile}.webp", content)
            labels = ";".join(pictures.classes[label] for label in picture.labels)
            size = str(picture.width), str(picture.height)
            rows.append((identifier, split, *size, labels, ";".join(why), own.get(identifier, "")))
        write_atomic(out / "index.csv", csv_text(rows))
    title = f"{name}{f' at threshold {evaluation.threshold:g}' if found.maps else ''}, split {split}"
    picked = sheet.choose(list(own) or list(known), params.sheet)
    shown = [_row(known[i], found, pictures, evaluation.threshold) for i in picked]
    if found.merged:
        shown = [_merged(row, 1) for row in shown]
    write_atomic(OUT / name / "sheet.png", sheet.sheet(title, shown, found.classes(pictures.classes)))
    write_atomic(OUT / name / "confusion.png", _confusion(name, found.classes(pictures.classes)))
    return f"gallery: {len(rows) - 1} pictures of {split} at {name}"


def _comparable(scores: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """What the pictures are chosen by: rungs of the data set's classes, if the split has any."""
    merged = {one for one in scores if read_json(SCORES / one / "metrics.json").get("classes") == MERGED}
    return {one: values for one, values in scores.items() if one not in merged} or scores


def _tiles(row: sheet.Row, merged: bool, side: int) -> dict[str, bytes]:
    """Where all classes are one, result and errors have a colour of no class; the truth has its own."""
    if not merged:
        return tiles(row.picture, row.truth, {"": row.result}, side)
    drawn = _merged(row, OBJECT)
    found = tiles(row.picture, drawn.truth, {"": drawn.result}, side)
    return found | tiles(row.picture, row.truth, {}, side)


def _merged(row: sheet.Row, label: int) -> sheet.Row:
    """Labels of truth and result with one label for all classes."""
    truth = None if row.truth is None else as_objects(row.truth, label)
    return dataclasses.replace(row, truth=truth, result=as_objects(row.result, label))


def _split(name: str) -> str:
    return str(read_json(SCORES / name / "metrics.json")["split"])


def _scores(name: str) -> dict[str, str]:
    """mIoU by picture, as the evaluation wrote it."""
    with (SCORES / name / "per_picture.csv").open(newline="") as lines:
        return {from_text(row["id"]): row["miou"] for row in csv.DictReader(lines)}


def _number(text: str | None) -> float:
    return float(text) if text else math.nan


def _row(picture: Picture, found: Rung, pictures: Pictures, threshold: float) -> sheet.Row:
    """The picture, its labels at the rung, maps at the fixed threshold, and its truth if it has one."""
    image, mask = read_picture(picture.path), MASKS / f"{picture.id}.png"
    labels = read_labels(found.file(picture.id), image.shape[:2], len(pictures.classes), threshold)
    return sheet.Row(picture.id, image, labels, read_mask(mask) if mask.is_file() else None)


def _confusion(name: str, classes: tuple[str, ...]) -> bytes:
    table = read_confusion((SCORES / name / "confusion.csv").read_text(), len(classes))
    return heat_map(f"{name}: confusion" if table.any() else f"{name}: no truth", table, classes)


if __name__ == "__main__":
    door.run("gallery")
