"""The drawings of the report page. Values are percent; every function returns a figure."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline import charts
from pipeline.charts import COLOURS, INK
from pipeline.report.published import Band
from pipeline.scores import text
from pipeline.tables import Table

BLUE, ORANGE, GREEN, _, GREY, RED = COLOURS
WIDTH = 5.6  # inches: text stays legible where a phone shrinks it
SPLIT = {"train": BLUE, "val": ORANGE}


def ladder(rows: Table, bands: Mapping[str, Band], ceiling: float | None = None) -> Figure:
    """A bar per rung with its mIoU; the change from the rung below where both are of one split.

    Rows are those of scores.py; one without mIoU has no bar, its rung was not scored or has no truth.
    """
    with charts.style():
        figure = charts.figure(WIDTH, 3.0)
        axes = figure.add_subplot()
        for place, row in enumerate(rows):
            if row["miou"]:
                _bar(axes, place, row, rows[place - 1] if place else None)
            if band := bands.get(row["rung"]):
                axes.fill_between(
                    [place - 0.42, place + 0.42], band.low, band.high, color=INK, alpha=0.18, lw=0
                )
                axes.text(place, band.high + 1, f"published: {band.name}", ha="center", fontsize=8)
        if ceiling is not None:
            axes.axhline(ceiling, color=INK, lw=1, ls=(0, (4, 3)))
            axes.text(-0.45, ceiling + 1, f"fully supervised, val: {text(ceiling)}", fontsize=8.5)
        axes.set_xticks(range(len(rows)), [f"{row['rung']}\n{row['split']}" for row in rows])
        axes.set_xlim(-0.5, len(rows) - 0.5)
        axes.set_ylim(0, 100)
        axes.set_ylabel("mIoU, %")
        axes.grid(visible=False, axis="x")
        axes.tick_params(length=0)
    return figure


def _bar(axes: Axes, place: int, row: dict[str, str], below: dict[str, str] | None) -> None:
    value = float(row["miou"])
    axes.bar(place, value, width=0.56, color=SPLIT.get(row["split"], GREY))
    axes.text(place, value + 1.5, text(value), ha="center", fontsize=13, fontweight="bold")
    if below and below["miou"] and below["split"] == row["split"]:
        change = value - float(below["miou"])
        axes.text(place, value - 3, f"{change:+.2f}", ha="center", va="top", color="white", fontsize=10)


def areas(rows: Sequence[tuple[str, float, float, float]]) -> Figure:
    """Where the area goes: (rung, IoU, over, under), means that sum to 100, as one stacked bar each."""
    with charts.style():
        figure = charts.figure(WIDTH, 0.7 + 0.42 * len(rows))
        axes = figure.add_subplot()
        for place, (_rung, *parts) in enumerate(rows):
            left = 0.0
            for value, colour in zip(parts, (GREEN, ORANGE, BLUE), strict=True):
                axes.barh(place, value, left=left, color=colour, height=0.66)
                if value > 7:
                    middle = left + value / 2
                    axes.text(middle, place, text(value), ha="center", va="center", color="white")
                left += value
        axes.set_yticks(range(len(rows)), [row[0] for row in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.grid(visible=False)
        axes.tick_params(length=0)
        names = ("right (IoU)", "marked too much", "missed")
        handles = [axes.barh(0, 0, color=colour, label=name)
                   for name, colour in zip(names, (GREEN, ORANGE, BLUE), strict=True)]  # fmt: skip
        figure.legend(handles=handles, loc="outside upper left", ncols=3, fontsize=8.5)
    return figure


def threshold_curve(rows: Table, numbers: Mapping[str, float]) -> Figure:
    """mIoU, precision and recall of the maps by threshold; the fixed and the best one marked.

    `numbers` are the rung's: its mIoU at `threshold`, and the best one with its own.
    """
    fixed, best = (
        (numbers["threshold"], numbers["miou"]),
        (numbers["best_threshold"], numbers["miou_best_threshold"]),
    )
    with charts.style():
        figure = charts.figure(WIDTH, 2.9)
        axes = figure.add_subplot()
        x = [float(row["threshold"]) for row in rows]
        for name, colour, width in (("miou", BLUE, 2.4), ("precision", ORANGE, 1.2), ("recall", GREEN, 1.2)):
            axes.plot(
                x,
                [float(row[name]) for row in rows],
                color=colour,
                lw=width,
                label=name.replace("miou", "mIoU"),
            )
        for (value, miou), name, style in ((fixed, "fixed", "-"), (best, "best", ":")):
            label = f"{name}: {text(miou)} at {value:g}"
            axes.axvline(value, color=INK, lw=1.2, ls=style, label=label)
        axes.set_xlabel("threshold")
        axes.set_ylabel("%")
        axes.set_ylim(0, 100)
        axes.set_xlim(0, 1)
        figure.legend(fontsize=8.5, loc="outside upper left", ncols=3)
    return figure


def training(name: str, rows: Table) -> Figure:
    """The loss by epoch, and its parts where there are several."""
    with charts.style():
        figure = charts.figure(3.6, 2.3)
        axes = figure.add_subplot()
        x = [int(row["epoch"]) for row in rows]
        parts = [column for column in rows[0] if column not in ("epoch", "lr")]
        for place, column in enumerate(parts):
            values = [float(row[column]) for row in rows]
            colour, width = (BLUE, 2.2) if column == "loss" else (COLOURS[place % len(COLOURS)], 1.2)
            axes.plot(x, values, label=column, color=colour, lw=width, marker="o" if len(x) < 3 else None)
        axes.set_title(name, fontsize=10, loc="left")
        axes.set_xlabel("epoch")
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(parts) > 1:
            axes.legend(fontsize=8)
    return figure
