"""The drawings of the diagnosis: the bias by layer, and what removing pixels does."""

import math
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.project.tables import Table
from pipeline.results import charts, diagnosis
from pipeline.results.charts import COLOURS, INK

BLUE, ORANGE, GREEN, PURPLE, GREY, RED = COLOURS
STYLES = {  # colour and dashes: a line is found by either
    "vgatt_raw": (BLUE, "-"), "vgatt_normalised": (PURPLE, (0, (6, 2))), "grad_cam": (ORANGE, "-"),
    "occlusion": (GREEN, "-"), "random": (GREY, (0, (2, 2))),
}  # fmt: skip


def bias(rows: Table) -> Figure:
    """By layer: half of the ratios as a bar, their median, and the mean with its interval."""
    with charts.style():
        figure = charts.figure(4.6, 0.9 + 0.42 * len(rows))
        axes = figure.add_subplot()
        axes.axvline(0, color=INK, lw=1)
        for place, row in enumerate(rows):
            low, median, high = (float(row[key]) for key in ("lower_quartile", "median", "upper_quartile"))
            axes.barh(place, high - low, left=low, height=0.5, color=BLUE, alpha=0.35, lw=0)
            axes.plot(median, place, "|", color=BLUE, ms=15, mew=2.6, gid="median")
            reach = float(row["high"]) - float(row["mean"]) if row["high"] else 0.0
            axes.errorbar(
                float(row["mean"]), place, xerr=reach, fmt="D", color=ORANGE, ms=4, capsize=3, lw=1.3
            )
        axes.set_yticks(range(len(rows)), [row["layer"] for row in rows])
        axes.invert_yaxis()
        axes.set_xlabel("bias / score")
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        handles = [
            axes.barh(0, 0, color=BLUE, alpha=0.35, label="half of the scores"),
            *axes.plot([], [], "|", color=BLUE, ms=11, mew=2.6, label="median"),
            *axes.plot([], [], "D-", color=ORANGE, ms=4, lw=1.3, label="mean, 95 %"),
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=3, fontsize=8.5)
    return figure


def removal(methods: Mapping[str, Table]) -> Figure:
    """By the share that is removed: the median change of the score, and the accuracy; a line per method."""
    with charts.style():
        figure = charts.figure(4.6, 5.6)
        above, below = figure.subplots(2, 1, sharex=True)
        for name, rows in methods.items():
            _line(above, name, rows, "change_median")
            _line(below, name, rows, "accuracy")
        above.set_ylabel("change of the score, %")
        above.set_ylim(bottom=0)
        below.set_ylabel("accuracy, %")
        below.set_xlabel("removed, % of the pixels")
        below.set_xlim(left=0)
        figure.legend(*above.get_legend_handles_labels(), loc="outside upper left", ncols=2, fontsize=8.5)
    return figure


def _line(axes: Axes, name: str, rows: Table, column: str) -> None:
    colour, dashes = STYLES.get(name, (RED, "-"))
    points = [(float(row["share"]), float(row[column]) if row[column] else math.nan) for row in rows]
    axes.plot(
        *zip(*points, strict=True), color=colour, ls=dashes, lw=2, label=diagnosis.name_of(name),
        marker="o" if len(points) < 4 else None, ms=3.5,
    )  # fmt: skip
