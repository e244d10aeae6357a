"""The part of the page about the boundary: how much better a rung is away from the objects' edges."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from pipeline.project.tables import Table
from pipeline.results import charts
from pipeline.results.charts import COLOURS
from pipeline.results.scores import Scores
from stages.evaluation.names import INSIDE, NEAR, WIDTH

TITLES = {"band": "near: closer than the width", "interior": "inside: the rest"}
Curve = Sequence[tuple[int, float, bool]]  # width in pixels, mIoU in percent, whether all classes are there
SIZE = (5.6, 3.1)  # inches
MARKS = "osD^v"  # of rungs: as many as have no divisor in common with the colours, so that no two look alike


def part(found: Scores) -> dict[str, Any]:
    """The drawing, and a row per rung with its mIoU near the boundary and inside; empty without a curve."""
    tables = {rung.name: found.table(rung.name, "boundary.csv") for rung in found.good}
    known = {name: rows for name, rows in tables.items() if any(row["miou"] for row in rows)}
    if not known:
        return {}
    rows = [
        {"rung": rung.name, "split": rung.split, "merged": rung.merged}
        | {"near": rung.cell(NEAR), "inside": rung.cell(INSIDE)}
        | {"pixels": _share(known[rung.name])}
        for rung in found.good
        if rung.name in known
    ]
    of_page = {name: curves(table) for name, table in known.items()}
    return {"chart": charts.svg(draw(of_page)), "rows": rows, "width": WIDTH}


def curves(rows: Table) -> dict[str, Curve]:
    """The points of a rung's boundary.csv by region; a region without pixels has none at that width."""
    most = max((int(row["classes"]) for row in rows), default=0)
    return {
        region: [
            (int(row["width"]), float(row["miou"]), int(row["classes"]) == most)
            for row in rows
            if row["region"] == region and row["miou"]
        ]
        for region in TITLES
    }


def draw(rungs: Mapping[str, Mapping[str, Curve]]) -> Figure:
    """mIoU by width of every rung, near the boundary to the left and inside to the right.

    A line is thin and dotted where a class is missing: its mean is over fewer, and jumps for that alone.
    """
    widths = sorted({width for regions in rungs.values() for line in regions.values() for width, *_ in line})
    with charts.style():
        figure = charts.figure(*SIZE)
        found = figure.subplots(1, 2, sharey=True)
        for axes, region in zip(found, TITLES, strict=True):
            for place, regions in enumerate(rungs.values()):
                if regions[region]:
                    _line(axes, regions[region], place)
            _frame(axes, widths, TITLES[region])
        found[0].set_ylabel("mIoU, %")
        found[0].set_ylim(0, 100)
        handles = [_line(found[0], [], place)[0] for place in range(len(rungs))]
        figure.legend(handles, list(rungs), fontsize=8.5, loc="outside upper left", ncols=4)
        figure.supxlabel("pixels from the boundary of the truth", fontsize=10)
    return figure


def _line(axes: Axes, points: Curve, place: int) -> list[Any]:
    """The whole line thin and dotted, and over it what has all classes; returns the latter."""
    look: dict[str, Any] = {"color": COLOURS[place % len(COLOURS)], "mew": 0}
    whole = [(width, miou) for width, miou, is_whole in points if is_whole]
    axes.plot([point[0] for point in points], [point[1] for point in points], lw=1, ls=":", **look)
    look |= {"marker": MARKS[place % len(MARKS)], "ms": 4, "lw": 1.8}
    return axes.plot([width for width, _ in whole], [miou for _, miou in whole], **look)


def _frame(axes: Axes, widths: Sequence[int], title: str) -> None:
    axes.set_title(title, fontsize=9.5, loc="left")
    axes.set_xscale("log")
    axes.set_xticks(widths, [str(width) for width in widths])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=8.5)
    axes.axvline(WIDTH, color=charts.INK, lw=0.8, ls=":")


def _share(rows: Table) -> str:
    """Of all pixels, those in the band of the headline's width, in percent."""
    pixels = {row["region"]: int(row["pixels"]) for row in rows if row["width"] == str(WIDTH)}
    return f"{100 * pixels['band'] / sum(pixels.values()):.1f}" if sum(pixels.values()) else ""
