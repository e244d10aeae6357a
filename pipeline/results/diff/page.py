"""A comparison as a page of its own: one file that opens offline, with the pictures in it."""

import tempfile
from pathlib import Path

from pipeline.project.root import write_whole
from pipeline.results import charts, noise, pages
from pipeline.results.diff import sheet, tables
from pipeline.results.diff.comparison import Diff

INPUTS = "reports/classifier/inputs.png"


def write(diff: Diff, file: Path, most: int) -> None:
    """Write the page, with the `most` pictures that changed most at each rung."""
    with tempfile.TemporaryDirectory(prefix="wsss-diff-") as place:
        drawn = sheet.draw(diff, Path(place), most)
    text = pages.render(
        "diff.html",
        diff=diff,
        titles=[tables.title(side) for side in (diff.a, diff.b)],
        notes=[*diff.notes, *drawn.notes],
        where=tables.where(diff),
        ladder=tables.ladder(diff),
        rules=tables.rule((*diff.ladder, *diff.explanation, *diff.diagnosis)),
        params=tables.params(diff),
        boundary=tables.boundary(diff),
        moved=tables.moved(diff),
        classes=tables.classes(diff, None),
        explanation=tables.explanation(diff),
        explained=tables.explained_classes(diff, None),
        diagnosis=tables.diagnosis(diff),
        chart=_chart(diff),
        sheet=drawn,
        inputs=_inputs(diff),
        signed=tables.signed,
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, text)


def _inputs(diff: Diff) -> list[tuple[str, str]]:
    """What the classifier of each side was trained on, where the two differ: name, picture as a data URI."""
    found = [(run.name, run.files([INPUTS]).get(INPUTS)) for run in diff.pair]
    drawn = [(name, pages.data_uri(file, ".png")) for name, file in found if file]
    return drawn if len({uri for _, uri in drawn}) == 2 else []


def _chart(diff: Diff) -> str:
    """The first metric of each rung on both sides, a line from one to the other; "" without numbers."""
    metric = diff.ladder[0].what if diff.ladder else ""
    rungs = [number for number in diff.ladder if number.what == metric]
    if not rungs:
        return ""
    with charts.style():
        drawn = charts.figure(5.6, 0.8 + 0.36 * len(rungs))
        axes = drawn.subplots()
        for row, number in enumerate(rungs):
            value = number.value
            axes.plot([value.a, value.b], [row, row], color=charts.INK, linewidth=1, zorder=1)
            for mean, sd, colour in ((value.a, value.sd_a, 4), (value.b, value.sd_b, 0)):
                axes.errorbar(mean, row, xerr=sd, fmt="none", ecolor=charts.COLOURS[colour], zorder=1)
                axes.scatter(mean, row, s=44, color=charts.COLOURS[colour], zorder=2)
            right = max(value.a + (value.sd_a or 0), value.b + (value.sd_b or 0))
            axes.annotate(_said(value), (right, row), (9, -3), textcoords="offset points", fontsize=9)
        axes.set_yticks(range(len(rungs)), [number.rung for number in rungs])
        axes.set_ylim(len(rungs) - 0.5, -0.5)
        axes.margins(x=0.2)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(f"{metric.replace('_', ' ')} in percent: grey {diff.a.name}, blue {diff.b.name}")
    return charts.svg(drawn)


def _said(value: noise.Change) -> str:
    if value.verdict == noise.EQUAL:
        return noise.EQUAL
    return tables.signed(value.change) + f" ({noise.NOISE})" * (value.verdict == noise.NOISE)
