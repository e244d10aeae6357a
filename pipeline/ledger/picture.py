"""The ledger's top as a picture: at each rung the rows with the highest mIoU, and the plain one."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from pipeline.ledger.table import Line, Score, Table
from pipeline.project.root import write_whole
from pipeline.results import charts, noise
from pipeline.results.scores import text

PANELS = {  # the rungs of each, of which a row shows the first that it has
    "seeds or cues, train": ("cues", "seeds"),
    "pseudo-labels, train": ("pseudo_labels",),
    "predictions, val": ("predictions", "one_step"),
}
MOST = 8  # rows in a panel, the plain one among them
CEILINGS = "diagnosis"  # the kind of the rows that learn from masks: no methods
WIDTH, HEIGHT, PER_ROW = 9.6, 0.5, 0.25  # inches: of all, of a panel's frame, of a row in it
ALONE = "What the seeds may explain, one seed does not tell."
LEGEND = "Green: above it beyond noise; red: below; grey: the seeds may explain it."
PLAIN, BETTER, WORSE, NOISE = charts.INK, charts.COLOURS[2], charts.COLOURS[5], charts.COLOURS[4]


def draw(table: Table, path: Path) -> None:
    """Write an SVG on white. ValueError where no row has a number of these rungs."""
    shown = _shown(table)
    if not shown and any(line.finished for line in table.lines):
        raise ValueError(
            f"no row of {table.name} has all {table.seeds} runs: draw fewer with --seeds, or one with --seed"
        )
    if not shown:
        raise ValueError(
            f"no row of {table.name} has a number yet: `{table.again(table.plain)}` makes the first"
        )
    write_whole(path, charts.standalone(_figure(table, shown)))


def inline(table: Table) -> str:
    """The same for a page; empty where there is nothing to draw."""
    shown = _shown(table)
    return charts.svg(_figure(table, shown)) if shown else ""


def _shown(table: Table) -> dict[str, list[tuple[Line, Score]]]:
    return {title: found for title, rungs in PANELS.items() if (found := top(table, rungs))}


def top(table: Table, rungs: tuple[str, ...]) -> list[tuple[Line, Score]]:
    """The highest means first, the plain row among them wherever it stands; only rows with all their runs."""
    found = [
        (line, line.scores[label])
        for line in table.lines
        if line.kind != CEILINGS and line.finished == line.runs
        for label in [next((rung for rung in rungs if rung in line.scores), None)]
        if label is not None
    ]
    found.sort(key=lambda one: -one[1].mean)
    others = MOST - any(line is table.plain for line, _ in found)
    best = [line for line, _ in found if line is not table.plain][:others]
    return [one for one in found if one[0] is table.plain or one[0] in best]


def _figure(table: Table, shown: dict[str, list[tuple[Line, Score]]]) -> Figure:
    rows = [len(found) for found in shown.values()]
    height = sum(HEIGHT + PER_ROW * count for count in rows)
    with charts.style():
        drawn = charts.figure(WIDTH, height)
        panels = drawn.subplots(len(rows), 1, squeeze=False, height_ratios=[2 + count for count in rows])
        for panel, (title, found) in zip(panels[:, 0], shown.items(), strict=True):
            _panel(panel, title, found, table.plain)
        drawn.supxlabel(_caption(table), fontsize=9, ha="left", x=0.01)
    return drawn


def _caption(table: Table) -> str:
    pictures = f"{table.title[0].upper()}{table.title[1:]}"
    if table.seeds == 1:
        return f"{pictures}; one run each, with {table.over}.\nDotted: the plain recipe. {ALONE}"
    return f"{pictures}; mean and standard deviation over {table.over}.\nDotted: the plain recipe. {LEGEND}"


def _panel(panel: Any, title: str, found: list[tuple[Line, Score]], plain: Line) -> None:
    for y, (line, score) in enumerate(found):
        panel.errorbar(
            score.mean,
            y,
            xerr=score.deviation,
            fmt="o",
            markersize=5,
            capsize=2,
            color=_colour(line, score, plain),
        )
        panel.annotate(text(score.mean), (1, y), xycoords=("axes fraction", "data"), va="center", fontsize=9)
        if line is plain:
            panel.axvline(score.mean, linestyle=":", linewidth=1, color=charts.INK)
    panel.set_title(f"mIoU, percent: {title}", loc="left", fontsize=10, fontweight="bold")
    panel.set_yticks(range(len(found)), [line.row.title for line, _ in found])
    panel.set_ylim(len(found) - 0.5, -0.5)
    panel.grid(axis="y", visible=False)


def _colour(line: Line, score: Score, plain: Line) -> str:
    """Of a change against the plain row: green or red beyond noise, else grey."""
    if line is plain:
        return PLAIN
    if score.change is None or score.change.verdict != noise.BEYOND:
        return NOISE
    return BETTER if score.change.change > 0 else WORSE
