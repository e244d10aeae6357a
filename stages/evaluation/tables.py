"""What the evaluation writes as numbers: fractions in, percent with two decimals out."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from stages.common.artifacts import as_text, csv_text
from stages.evaluation import metrics

CLASS_COLUMNS = ("class", "iou", "precision", "recall", "over", "under", "pixels")
PICTURE_COLUMNS = ("id", "miou", "precision", "recall", "over", "under")
CURVE_COLUMNS = ("threshold", "miou", "precision", "recall", "over", "under")


def percent(fraction: float | np.ndarray) -> float:
    """Percent with two decimals, as papers print it."""
    return round(100 * float(fraction), 2)


def summary(table: np.ndarray, classes: Sequence[str]) -> dict[str, float | dict[str, float]]:
    """The keys of metrics.json that every scored rung has, in percent."""
    tp, fp, fn = metrics.counts(table)
    ious = metrics.iou(tp, fp, fn)
    occurs = np.flatnonzero(tp + fp + fn)
    return {
        **{name: percent(value) for name, value in metrics.means(table).items()},
        "pixel_accuracy": percent(metrics.pixel_accuracy(table)),
        "iou": {classes[index]: percent(ious[index]) for index in occurs.tolist()},
    }


def per_class(table: np.ndarray | None, classes: Sequence[str]) -> str:
    """CSV, one row per class; the cells of a class that occurs nowhere are empty."""
    if table is None:
        return csv_text([CLASS_COLUMNS])
    tp, fp, fn = metrics.counts(table)
    columns = [metric(tp, fp, fn) for metric in metrics.METRICS.values()]
    pixels, occurs = table.sum(1), (tp + fp + fn) > 0
    rows: list[Sequence[object]] = [CLASS_COLUMNS]
    for index, name in enumerate(classes):
        cells = [f"{percent(column[index]):.2f}" if occurs[index] else "" for column in columns]
        rows.append((as_text(name), *cells, pixels[index]))
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
