"""Tables, numbers and the sheet of a fold's episodes, in reports/few_shot/FOLD."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from stages.common.artifacts import as_text, csv_text, write_atomic, write_json
from stages.common.drawing.canvas import FAINT, INK, canvas, png, shorten
from stages.common.drawing.canvas import write as text
from stages.episodes import scores
from stages.episodes.names import heading
from stages.evaluation.tables import percent
from stages.fold_masks.folds import Episode

REPORTS = Path("reports/few_shot")
CELL, GAP, MARGIN, HEAD = 128, 8, 16, 20  # pixels
OBJECT, VOID = (214, 73, 51), (190, 190, 190)


def write(
    fold: int, episodes: Sequence[Episode], counts: np.ndarray, names: Sequence[str], classes: Sequence[str]
) -> dict[str, float]:
    """metrics.json and both tables of counts [E, kinds, 2, 2]; returns the numbers, in percent.

    A class's IoU pools the episodes of a run; mIoU is their mean; both are means over the runs.
    """
    runs = np.array([one.run for one in episodes])
    labels = np.array([one.label for one in episodes])
    asked = sorted(set(labels.tolist()))
    values: dict[str, float] = {}
    by_class = []
    for at, name in enumerate(names):
        of_runs = [(counts[runs == run, at], labels[runs == run]) for run in sorted(set(runs.tolist()))]
        table = np.array([scores.class_iou(*one, asked) for one in of_runs])
        both = {"miou": np.nanmean(table, 1), "fb_iou": np.array([scores.fb_iou(one) for one, _ in of_runs])}
        for key, of_each in both.items():
            mean, deviation = scores.over_runs(of_each)
            values[f"{key}_{name}"] = percent(mean)
            if deviation is not None:
                values[f"{key}_{name}_std"] = percent(deviation)
        by_class.append(np.nanmean(table, 0))
    header = ("class", "episodes", *(f"iou_{name}" for name in names))
    lines = [
        (as_text(classes[label]), int((labels == label).sum()), *(cell(one[row]) for one in by_class))
        for row, label in enumerate(asked)
    ]
    out = REPORTS / str(fold)
    write_atomic(out / "per_class.csv", csv_text([header, *lines]))
    header = ("run", "number", "class", "query", "supports", *(f"iou_{name}" for name in names))
    each = scores.iou(counts)
    rows = [
        (
            one.run,
            one.number,
            as_text(classes[one.label]),
            one.query,
            ";".join(one.supports),
            *map(cell, each[at]),
        )
        for at, one in enumerate(episodes)
    ]
    write_atomic(out / "per_episode.csv", csv_text([header, *rows]))
    known = {"fold": fold, "classes": [classes[label] for label in asked], "episodes": len(episodes)}
    known |= {"runs": len(set(runs.tolist())), "images": len({one.query for one in episodes}), "split": "val"}
    write_json(out / "metrics.json", values | known)
    return values


def cell(value: float) -> str:
    return "" if np.isnan(value) else f"{100 * value:.2f}"


def draw(fold: int, rows: Sequence[Any], names: Sequence[str], classes: Sequence[str]) -> None:
    """sheet.png, a row an episode: its first support with the mask, query, truth and what was found.

    `rows` are episodes, what they showed, and the masks that were found by each kind.
    """
    heads = ["support", "query", "truth", *(heading(name) for name in names)]
    width = 2 * MARGIN + len(heads) * (CELL + GAP) - GAP
    image, pen = canvas(width, 2 * MARGIN + HEAD + len(rows) * (CELL + HEAD + GAP))
    for column, name in enumerate(heads):
        text(pen, (MARGIN + column * (CELL + GAP), MARGIN), shorten(name, CELL, 12), FAINT, 12)
    for row, (one, seen, found) in enumerate(rows):
        y = MARGIN + HEAD + row * (CELL + HEAD + GAP)
        line = f"{classes[one.label]} in {one.query}, by {one.supports[0]}"
        text(pen, (MARGIN, y + 3), shorten(line, width - 2 * MARGIN, 12), INK, 12)
        shown = [marked(seen.supports[0], seen.masks[0]), seen.query, marked(seen.query, seen.truth)]
        shown += [marked(seen.query, mask) for mask in found]
        for column, pixels in enumerate(shown):
            image.paste(Image.fromarray(small(pixels)), (MARGIN + column * (CELL + GAP), y + HEAD))
    write_atomic(REPORTS / str(fold) / "sheet.png", png(image))


def marked(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A picture that fades, with the object in a colour and void in grey."""
    shown = (0.45 * pixels + 0.55 * 255).astype(np.uint8)
    shown[mask == 1] = (0.35 * pixels[mask == 1] + 0.65 * np.array(OBJECT)).astype(np.uint8)
    shown[mask == 255] = VOID
    return shown


def small(pixels: np.ndarray) -> np.ndarray:
    """In a square of CELL, on paper."""
    factor = CELL / max(pixels.shape[:2])
    height, width = (max(1, round(side * factor)) for side in pixels.shape[:2])
    out = np.full((CELL, CELL, 3), 250, np.uint8)
    out[:height, :width] = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return out
