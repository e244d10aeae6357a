"""Score one rung of the ladder against the masks: `python -m stages.evaluation RUNG FOLDER-OF-DATA`.

Writes reports/rungs/<rung>/: metrics.json (percent with two decimals, so that `dvc metrics diff` reads as
papers do), per_class.csv, per_picture.csv, per_class_pictures.csv, confusion.csv, curve.csv, boundary.csv.
data/masks/index.csv says which pictures have a truth: exactly these are scored, and one that cannot be
is an error.
"""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.common import door, items
from stages.common.artifacts import csv_text, write_atomic, write_json
from stages.common.params import load
from stages.common.pictures import Pictures, load_pictures
from stages.evaluation import curve, emptiness, entropy, metrics, tables
from stages.evaluation.count import COUNTS, PROBLEM, Count, Task, read_counts
from stages.evaluation.names import MERGED
from stages.evaluation.params import Evaluation
from stages.evaluation.pictures import Means
from stages.evaluation.rungs import SCORES, Rung, rung, split_of

MASKS = Path("data/masks")
SHOWN = 5  # files that an error names
GROUP = 32  # pictures that go to a process at a time


def main() -> str:
    name, found = _asked(sys.argv[1:])
    params = load("evaluation", Evaluation)
    pictures = load_pictures()
    split = split_of(name, found, pictures)
    ids = _promised(split, pictures)
    _require([MASKS / f"{i}.png" for i in ids], "masks that data/masks/index.csv promises")
    _require([found.file(i) for i in ids], f"results of rung {name}")
    if not ids:
        return _without_truth(name, found, split, pictures)

    classes = found.classes(pictures.classes)
    found_counts = _count(name, found, ids, len(classes), params)
    by_ring, histogram, widths = found_counts.by_ring, found_counts.histogram, params.boundary.widths
    table = by_ring.sum(0)
    if not table.any():
        raise ValueError(f"all masks of split {split} are void (255) everywhere: nothing to score")
    if params.boundary.void == "trimap" and not by_ring[:-1].any():
        raise ValueError(
            "evaluation.boundary.void is trimap, and no mask has void (255) along its objects: set label"
        )
    values = tables.summary(table, classes) | {"images": len(ids), "split": split} | _kind(found)
    values |= tables.near(by_ring, widths) | tables.of_pictures(found_counts.pictures)
    if found_counts.entropy is not None:
        values |= entropy.means(found_counts.entropy, widths)
    line = f"{name}: mIoU {values['miou']:.2f} %" + " of object and ground" * found.merged
    thresholds: list[float | None] = [None]
    stack = table[None]
    if histogram is not None:
        stack, thresholds = curve.tables(histogram), curve.thresholds(params.bins).tolist()
        miou = metrics.means(stack)["miou"]
        best = curve.best(miou)
        values |= {"threshold": params.threshold, "best_threshold": round(best / params.bins, 6)}
        values["miou_best_threshold"] = tables.percent(miou[best])
        line += f" at threshold {params.threshold:g}"
        line += f" (best {values['miou_best_threshold']:.2f} % at {values['best_threshold']:g})"

    _write(name, found_counts, classes, tables.curve(thresholds, stack), widths)
    write_json(SCORES / name / "metrics.json", values)
    return f"{line}, {len(ids)} pictures{_looks_wrong(name, found, ids, pictures)}"


class Found(NamedTuple):
    """What all pictures of a rung add up to, and a row of scores for each of them."""

    by_ring: np.ndarray  # tables of counts by distance to the boundary (boundary.rings)
    histogram: np.ndarray | None  # of maps, the joint one (curve.count)
    entropy: np.ndarray | None  # where the rung has it (entropy.count)
    pictures: Means
    rows: list[tuple[str, ...]]


def _asked(arguments: Sequence[str]) -> tuple[str, Rung]:
    if len(arguments) != 2:
        raise ValueError("name a rung and its folder of data/: python -m stages.evaluation seeds seeds")
    return arguments[0], rung(arguments[1])


def _promised(split: str, pictures: Pictures) -> list[str]:
    """The ids of a split that have a mask, sorted."""
    with (MASKS / "index.csv").open(newline="") as file:
        ids = sorted(row["id"] for row in csv.DictReader(file) if row["split"] == split)
    if strange := sorted(set(ids) - {picture.id for picture in pictures.split(split)}):
        raise ValueError(
            f"{MASKS / 'index.csv'} promises {len(strange)} pictures that split {split} of data/dataset "
            f"does not have: {', '.join(strange[:SHOWN])}. Run `dvc repro dataset`"
        )
    return ids


def _require(files: Sequence[Path], what: str) -> None:
    if missing := [str(file) for file in files if not file.is_file()]:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise ValueError(
            f"{len(missing)} of {len(files)} {what} are missing: {', '.join(missing[:SHOWN])}{more}"
        )


def _count(name: str, found: Rung, ids: Sequence[str], classes: int, params: Evaluation) -> Found:
    """Maps are counted at all thresholds, and scored at the fixed one."""
    widths, void = params.boundary.widths, params.boundary.void
    count = Count(classes, found.maps, params.threshold, params.bins, widths, void, found.merged)
    unsure = None if found.maps else _entropy(name, found.folder / entropy.FOLDER, ids)
    tasks = {i: Task(MASKS / f"{i}.png", found.file(i), unsure and unsure / f"{i}.png") for i in ids}
    work = [items.Item(i, count.key(task), task) for i, task in tasks.items()]
    results = items.compute_items(f"evaluation@{name}", work, count, batches=items.groups_of(GROUP))
    if problems := [results.read(item, PROBLEM).decode() for item in work if results.has(item, PROBLEM)]:
        lines = [f"{len(problems)} of {len(ids)} pictures cannot be scored:"]
        lines += [f"  {problem}" for problem in problems[:SHOWN]]
        raise ValueError("\n".join(lines + ["  ..."] * (len(problems) > SHOWN)))
    by_ring = np.zeros((len(widths) + 1, classes, classes + 1), np.int64)
    histogram = curve.empty_histogram(classes, params.bins) if found.maps else None
    unsureness = np.zeros((len(widths) + 1, 2, 2), np.int64) if unsure else None
    pictures, rows = Means(classes, params.jaccard_threshold), []
    for item in work:
        counts = read_counts(results.read(item, COUNTS))
        by_ring += counts.by_ring
        if histogram is not None:
            histogram[:, counts.columns] += counts.histogram
        if unsureness is not None and counts.entropy is not None:
            unsureness += counts.entropy
        pictures.add(counts.table)
        rows.append(tables.picture(item.id, counts.table))
    return Found(by_ring, histogram, unsureness, pictures, rows)


def _entropy(name: str, folder: Path, ids: Sequence[str]) -> Path | None:
    """The folder of the entropies, None for a rung without. ValueError where one of `ids` has none."""
    if not folder.is_dir():
        return None
    _require([folder / f"{i}.png" for i in ids], f"entropies of rung {name}")
    return folder


def _without_truth(name: str, found: Rung, split: str, pictures: Pictures) -> str:
    _write(name, None, found.classes(pictures.classes), csv_text([tables.CURVE_COLUMNS]))
    ids = [picture.id for picture in pictures.split(split)]
    write_json(SCORES / name / "metrics.json", {"images": 0, "split": split} | _kind(found))
    line = f"{name}: no truth for split {split}, nothing to score"
    return line + _looks_wrong(name, found, ids, pictures)


def _kind(found: Rung) -> dict[str, str]:
    """That a rung's numbers are not to be set beside those of the others, if so."""
    return {"classes": MERGED} if found.merged else {}


def _looks_wrong(name: str, found: Rung, ids: Sequence[str], pictures: Pictures) -> str:
    """A line more where masks are nearly all background, or a class is in none."""
    if found.maps:
        return ""
    own = {picture.id: picture.labels for picture in pictures.all}
    look = emptiness.sample({i: own[i] for i in ids if own.get(i)}, found)  # others are rightly background
    return "".join(f"\nLook at this: {text}" for text in emptiness.words(name, look, pictures.classes))


def _write(
    name: str, found: Found | None, classes: Sequence[str], points: str, widths: Sequence[int] = ()
) -> None:
    """All tables of a rung; without their rows where there is no truth."""
    out = SCORES / name
    table = found.by_ring.sum(0) if found else None
    write_atomic(out / "curve.csv", points)
    write_atomic(out / "per_picture.csv", csv_text([tables.PICTURE_COLUMNS, *(found.rows if found else ())]))
    write_atomic(out / "per_class.csv", tables.per_class(table, classes))
    write_atomic(out / "confusion.csv", tables.confusion(table, classes))
    write_atomic(out / "boundary.csv", tables.bands(found.by_ring if found else None, widths))
    means = tables.per_class_pictures(found.pictures if found else None, classes)
    write_atomic(out / "per_class_pictures.csv", means)


if __name__ == "__main__":
    door.run("evaluation")
