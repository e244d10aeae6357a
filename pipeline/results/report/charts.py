"""The drawings of the report page. Values are percent; every function returns a figure."""

from collections.abc import Collection, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.project.tables import Table
from pipeline.results import charts
from pipeline.results.charts import COLOURS, INK
from pipeline.results.compared import below
from pipeline.results.explanation import WORDS as EXPLAINED
from pipeline.results.explanation import is_high
from pipeline.results.report.published import Band
from pipeline.results.scores import text

BLUE, ORANGE, GREEN, _, GREY, _ = COLOURS
WIDTH = 5.6  # inches: text stays legible where a phone shrinks it
CHARACTERS = 62  # of the rungs' names in a line below the bars
SPLIT = {"train": BLUE, "val": ORANGE}


def ladder(
    rows: Table,
    bands: Mapping[str, Band],
    ceiling: float | None = None,
    seeds: Mapping[str, tuple[float, float]] | None = None,
    merged: Collection[str] = (),
) -> Figure:
    """A bar per rung with its mIoU; the change from the rung below where the two can be compared.

    Rows are those of scores.py; one without mIoU has no bar, its rung was not scored or has no truth.
    `seeds` are mean and standard deviation over the runs of several seeds, by rung: an error bar beside
    the value of this run. `merged` names the rungs that are scored as object and ground.
    """
    with charts.style():
        figure = charts.figure(WIDTH, 3.0)
        axes = figure.add_subplot()
        for place, (row, before) in enumerate(zip(rows, below(rows, merged), strict=True)):
            if row["miou"]:
                _bar(axes, place, row, before)
            if row["miou"] and (both := (seeds or {}).get(row["rung"])):
                axes.errorbar(place + 0.36, *both, color=INK, fmt="o", ms=3.5, capsize=4, lw=1.3)
            if band := bands.get(row["rung"]):
                axes.fill_between(
                    [place - 0.42, place + 0.42], band.low, band.high, color=INK, alpha=0.18, lw=0
                )
                axes.text(place, band.high + 1, f"published: {band.name}", ha="center", fontsize=8)
        if ceiling is not None:
            axes.axhline(ceiling, color=INK, lw=1, ls=(0, (4, 3)))
            said = f"fully supervised, val: {text(ceiling)}"
            left = (-0.45, ceiling)  # and above it, or the line goes through the words
            axes.annotate(said, left, (0, 3), textcoords="offset points", fontsize=8.5)
        kinds = ["\nobject / ground" * (row["rung"] in merged) for row in rows]
        shown = [_broken(row["rung"], CHARACTERS // max(len(rows), 1)) for row in rows]
        names = [f"{name}\n{row['split']}{kind}" for name, row, kind in zip(shown, rows, kinds, strict=True)]
        axes.set_xticks(range(len(rows)), names)
        axes.set_xlim(-0.5, len(rows) - 0.5)
        axes.set_ylim(0, 100)
        axes.set_ylabel("mIoU, %")
        axes.grid(visible=False, axis="x")
        axes.tick_params(length=0)
    return figure


def _broken(name: str, most: int) -> str:
    """A rung's name in lines of at most so many characters, where its underscores allow that."""
    first, *parts = name.split("_")
    lines = [first]
    for part in parts:
        if len(lines[-1]) + 1 + len(part) <= most:
            lines[-1] += f"_{part}"
        else:
            lines[-1] += "_"
            lines.append(part)
    return "\n".join(lines)


def _bar(axes: Axes, place: int, row: dict[str, str], before: dict[str, str] | None) -> None:
    value = float(row["miou"])
    axes.bar(place, value, width=0.56, color=SPLIT.get(row["split"], GREY))
    axes.text(place, value + 1.5, text(value), ha="center", fontsize=13, fontweight="bold")
    if before and before["miou"]:
        change = value - float(before["miou"])
        inside = value > 14  # else there is no room in the bar
        axes.text(
            place,
            value - 3 if inside else value + 9,
            f"{change:+.2f}",
            ha="center",
            va="top" if inside else "bottom",
            color="white" if inside else INK,
            fontsize=10,
        )


def areas(rows: Sequence[tuple[str, float, float, float]]) -> Figure:
    """Where the area goes: (rung, IoU, over, under), means that sum to 100, as one stacked bar each."""
    with charts.style():
        figure = charts.figure(WIDTH, 0.7 + 0.42 * len(rows))
        axes = figure.add_subplot()
        for place, (_rung, *parts) in enumerate(rows):
            left = 0.0
            for value, colour in zip(parts, (GREEN, ORANGE, BLUE), strict=True):
                axes.barh(place, value, left=left, color=colour, height=0.66)
                if value > 9:
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


SHARES = ("ground", "labelled")  # columns of a history that are told, in percent


def training(name: str, rows: Table) -> Figure:
    """By epoch: the loss, its parts and that of val where they are known, shares in percent, learning rate.

    A loss whose turn did not come in an epoch is nan there, which is no value.
    """
    rows = [{column: "" if value == "nan" else value for column, value in row.items()} for row in rows]
    known = {column for column in rows[0] if any(row[column] for row in rows)}
    apart = ("epoch", "lr", "val_map", *SHARES)
    losses = [column for column in rows[0] if column in known and column not in apart]
    panels = [("loss", losses, 2.4)]
    panels += [("val mAP, %", ["val_map"], 1.2)] * ("val_map" in known)
    panels += [(f"{share}, %", [share], 1.2) for share in SHARES if share in known]
    panels += [("lr", ["lr"], 0.8)] * ("lr" in known)
    with charts.style():
        height = 0.75 + 0.72 * sum(share for *_, share in panels) + 0.2 * (len(losses) > 3)
        figure = charts.figure(3.9, height)
        ratios = {"height_ratios": [share for *_, share in panels]}
        found = figure.subplots(len(panels), 1, sharex=True, squeeze=False, gridspec_kw=ratios)[:, 0]
        for axes, (label, columns, _) in zip(found, panels, strict=True):
            for place, column in enumerate(columns):
                _line(axes, rows, column, place)
            axes.set_ylabel(label, fontsize=9)
            axes.tick_params(labelsize=8)
            highest = max((float(row[c]) for row in rows for c in columns if row[c]), default=0)
            axes.set_ylim(0, 100 if "%" in label else 1.08 * highest or 1)
        figure.suptitle(name, fontsize=11, x=0.02, ha="left")
        found[-1].set_xlabel("epoch")
        found[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(losses) > 1:
            figure.legend(
                *found[0].get_legend_handles_labels(), fontsize=8, loc="outside lower left", ncols=3
            )
    return figure


def _line(axes: Axes, rows: Table, column: str, place: int) -> None:
    """One column over the epochs; an epoch without a value is left out."""
    points = [(int(row["epoch"]), float(row[column])) for row in rows if row[column]]
    colour, width = (BLUE, 2.2) if column == "loss" else (COLOURS[place % len(COLOURS)], 1.2)
    if column in ("lr", "val_map", *SHARES):
        colour = {"lr": INK, "val_map": GREEN}.get(column, GREY)
    name = column.replace("val_loss", "loss on val")
    axes.plot(
        *zip(*points, strict=True), label=name, color=colour, lw=width, marker="o" if len(rows) < 3 else None
    )


def explanation(means: Mapping[str, float], by_class: Mapping[str, Sequence[float]]) -> Figure:
    """A bar per metric with its mean over the classes, a dot per class; what is better high comes first."""
    high, low = ([key for key in means if is_high(key) is wanted] for wanted in (True, False))
    with charts.style():
        figure = charts.figure(4.6, 0.9 + 0.46 * len(means))
        axes = figure.add_subplot()
        place, ticks = 0.0, []
        for keys, colour, title in ((high, BLUE, "high is better"), (low, ORANGE, "low is better")):
            if keys:
                axes.text(1.5, place, title, color=colour, fontweight="bold", va="center")
            for key in keys:
                place += 1
                ticks.append((place, EXPLAINED[key].name.replace(" of ", "\nof ")))
                axes.barh(place, means[key], color=colour, height=0.56, alpha=0.8)
                dots = [place] * len(by_class[key])
                axes.plot(by_class[key], dots, "o", color=INK, ms=3.2, alpha=0.55, mew=0)
                axes.text(103, place, text(means[key]), va="center", fontweight="bold", fontsize=11)
            place += 1.1
        axes.set_yticks(*zip(*ticks, strict=True))
        axes.set_ylim(place - 0.4, -0.6)
        axes.set_xlim(0, 100)
        axes.set_xlabel("%")
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    return figure


def oracles(bars: Sequence[tuple[str, float]]) -> Figure:
    """A bar for each kind of labels that the segmenter learned from: (what, mIoU on val), as they come."""
    with charts.style():
        figure = charts.figure(WIDTH, 0.6 + 0.42 * len(bars))
        axes = figure.add_subplot()
        for place, (_, value) in enumerate(bars):
            axes.barh(place, value, color=ORANGE if place == 0 else GREY, height=0.66)
            inside = value > 14  # else there is no room in the bar
            axes.text(
                value - 1 if inside else value + 1, place, text(value), va="center",
                ha="right" if inside else "left", color="white" if inside else INK, fontweight="bold",
            )  # fmt: skip
        axes.set_yticks(range(len(bars)), [name for name, _ in bars])
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel("mIoU on val, %")
        axes.grid(visible=False, axis="y")
        axes.tick_params(length=0)
    return figure
