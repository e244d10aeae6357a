"""What the evaluation writes as numbers: fractions in, percent with two decimals out."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from stages.common.artifacts import as_text, csv_text
from stages.evaluation import boundary, metrics, pictures
from stages.evaluation.names import INSIDE, NEAR, WIDTH

CLASS_COLUMNS = (
    *("class", "iou", "precision", "recall", "over", "under", "f1", "specificity", "accuracy"),
    *("decided", "pixels"),
)
PICTURE_COLUMNS = ("id", "miou", "precision", "recall", "over", "under")
CURVE_COLUMNS = ("threshold", "miou", "precision", "recall", "over", "under")
BOUNDARY_COLUMNS = ("width", "region", "pixels", "classes", "miou", "precision", "recall")
CLASS_PICTURES_COLUMNS = ("class", "pictures", *pictures.COLUMNS)


def percent(fraction: float | np.ndarray) -> float:
    """Percent with two decimals, as papers print it."""
    return round(100 * float(fraction), 2)


def summary(table: np.ndarray, classes: Sequence[str]) -> dict[str, float | dict[str, float]]:
    """The keys of metrics.json that every scored rung has, in percent; more where pixels are unknown."""
    tp, fp, fn = metrics.counts(table)
    ious = metrics.iou(tp, fp, fn)
    occurs = np.flatnonzero(tp + fp + fn)
    further = {
        "f1": metrics.f1(tp, fp, fn),
        "specificity": metrics.specificity(tp, fp, fn, metrics.negatives(table)),
    }
    return {
        **{name: percent(value) for name, value in metrics.means(table).items()},
        **{name: percent(values[occurs].mean()) for name, values in further.items()},
        "pixel_accuracy": percent(metrics.pixel_accuracy(table)),
        **(seeds(table) if table[:, -1].any() else {}),
        "iou": {classes[index]: percent(ious[index]) for index in occurs.tolist()},
    }


def seeds(table: np.ndarray) -> dict[str, float]:
    """How much of a rung that leaves pixels unknown is decided, and how much of that is right, in percent."""
    return {name: percent(value) for name, value in metrics.decisions(table).items()}


def per_class(table: np.ndarray | None, classes: Sequence[str]) -> str:
    """CSV, one row per class; the cells of a class that occurs nowhere are empty.

    So is `decided`, the share of the true class's pixels with an answer, where nothing is unknown.
    """
    if table is None:
        return csv_text([CLASS_COLUMNS])
    tp, fp, fn = metrics.counts(table)
    every = (tp, fp, fn, metrics.negatives(table))
    columns = [metric(tp, fp, fn) for metric in metrics.METRICS.values()]
    columns += [metrics.f1(tp, fp, fn), metrics.specificity(*every), metrics.accuracy(*every)]
    pixels, occurs, unknown = table.sum(1), (tp + fp + fn) > 0, table[:, -1]
    rows: list[Sequence[object]] = [CLASS_COLUMNS]
    for index, name in enumerate(classes):
        cells = [f"{percent(column[index]):.2f}" if occurs[index] else "" for column in columns]
        told = unknown.any() and pixels[index]
        decided = f"{percent(1 - unknown[index] / pixels[index]):.2f}" if told else ""
        rows.append((as_text(name), *cells, decided, pixels[index]))
    return csv_text(rows)


def picture(identifier: str, table: np.ndarray) -> tuple[str, ...]:
    """A row of PICTURE_COLUMNS: means over the classes that are in this picture, true or marked.

    The cells of a picture that is void everywhere are empty.
    """
    values = metrics.means(table).values()
    return (as_text(identifier), *("" if np.isnan(value) else f"{percent(value):.2f}" for value in values))


def confusion(table: np.ndarray | None, classes: Sequence[str]) -> str:
    """CSV of pixels: a row per true class, a column per answer."""
    names = [as_text(name) for name in classes]
    header = ("truth", *names, "unknown")
    rows = [] if table is None else [(name, *row) for name, row in zip(names, table.tolist(), strict=True)]
    return csv_text([header, *rows])


def read_confusion(text: str, classes: int) -> np.ndarray:
    """The table [C, C + 1] of a text that `confusion` wrote; zeros where there was no truth."""
    rows = [row[1:] for row in list(csv.reader(io.StringIO(text)))[1:]]
    return np.array(rows, np.int64) if rows else np.zeros((classes, classes + 1), np.int64)


def curve(thresholds: Sequence[float | None], tables: np.ndarray) -> str:
    """CSV, one row per threshold; labels have one row, and no threshold."""
    columns = metrics.means(tables)
    rows: list[Sequence[object]] = [CURVE_COLUMNS]
    for row, threshold in enumerate(thresholds):
        name = "" if threshold is None else f"{threshold:g}"
        rows.append((name, *(f"{percent(column[row]):.2f}" for column in columns.values())))
    return csv_text(rows)


def near(by_ring: np.ndarray, widths: Sequence[int]) -> dict[str, float]:
    """boundary_miou and interior_miou, in percent, of tables by ring; neither of a region without pixels."""
    place = list(widths).index(WIDTH)
    regions = {
        NEAR: boundary.bands(by_ring)[place],
        INSIDE: boundary.interiors(by_ring)[place],
    }
    return {name: percent(metrics.means(table)["miou"]) for name, table in regions.items() if table.any()}


def bands(by_ring: np.ndarray | None, widths: Sequence[int]) -> str:
    """CSV, two rows per width: the band along the boundary, and the rest; empty cells without pixels.

    `classes` are those that are true there: a mean over fewer than all of them is another mean.
    """
    rows: list[Sequence[object]] = [BOUNDARY_COLUMNS]
    if by_ring is not None:
        inside, outside = boundary.bands(by_ring), boundary.interiors(by_ring)
        for width, *both in zip(widths, inside, outside, strict=True):
            for region, table in zip((boundary.BAND, boundary.INTERIOR), both, strict=True):
                means = metrics.means(table)
                cells = [
                    f"{percent(means[name]):.2f}" if table.any() else "" for name in BOUNDARY_COLUMNS[4:]
                ]
                rows.append((width, region, table.sum(), table.any(1).sum(), *cells))
    return csv_text(rows)


def per_class_pictures(means: pictures.Means | None, classes: Sequence[str]) -> str:
    """CSV, one row per class: its means over the pictures whose truth holds it; empty where none does."""
    rows: list[Sequence[object]] = [CLASS_PICTURES_COLUMNS]
    if means is not None:
        for name, number, values in zip(classes, means.pictures, means.of_classes().T, strict=True):
            cells = ("" if np.isnan(value) else f"{percent(value):.2f}" for value in values)
            rows.append((as_text(name), number, *cells))
    return csv_text(rows)


def of_pictures(means: pictures.Means) -> dict[str, float]:
    """The keys of metrics.json that are means over pictures, then classes, in percent: `picture_jaccard`."""
    return {f"picture_{name}": percent(value) for name, value in means.of_set().items()}
