"""`wsss show`: one picture through the recipe, in the terminal and as a picture or a page.

Without --png or --html it writes a PNG: it opens anywhere, also over ssh and in an editor, and goes into an
issue or onto a slide as it is. The page has the same drawings larger, and the IoU along the walk as a curve.
A child draws (stages/commands/show); here is how it is shown.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from pipeline.project import children, tables
from pipeline.project.root import write_whole
from pipeline.results import charts, pages, scores
from pipeline.results.scores import text

STAGES = {  # by step, the one whose output it shows
    "seeds": "seeds", "saliency": "saliency", "cues": "cues",
    "crf": "affinity_labels", "affinity_labels": "affinity_labels",
    "affinity": "affinity", "random_walk": "affinity", "pseudo_labels": "pseudo_labels",
    "predictions": "predictions", "one_step": "one_step", "graph": "graph", "annotations": "dataset",
}  # fmt: skip
FOLDER = Path("reports/show")  # git-ignored


def main(root: Path, identifier: str, html: Path | None, png: Path | None) -> int:
    """The child's exit status; `html` and `png` are absolute paths. Nothing is written if it fails."""
    if not html and not png:
        png = root / FOLDER / f"{identifier}.png"
    with tempfile.TemporaryDirectory() as place:
        arguments = [f"--tiles={place}", *([f"--png={png}"] if png else [])]
        arguments += [f"--note={step}={why}" for step, why in of_other_runs(root).items()]
        arguments += ["--", identifier]
        if code := children.run(root, "stages.commands.show", arguments):
            return code
        shown = json.loads((Path(place) / "steps.json").read_text())
        if html:
            html.parent.mkdir(parents=True, exist_ok=True)
            write_whole(html, page(shown, Path(place)))
    title = f"{shown['id']}, split {shown['split']}: {', '.join(shown['labels']) or 'no label'}"
    tables.show(title, rows(shown["steps"]), words=("what",))
    for file in (png, html):
        if file:
            print(file)
    return 0


def of_other_runs(root: Path) -> dict[str, str]:
    """By step, why what lies there is not of the present parameters, code and inputs."""
    found = scores.workspace(root)
    return {
        step: f"not of this run: {why}" for step, stage in STAGES.items() if (why := found.why_not(stage))
    }


def rows(steps: list[dict[str, Any]]) -> list[dict[str, str]]:
    """A row per step, and one per stop of the walk."""
    found = []
    for step in steps:
        if step["name"] == "truth" and not step["absent"]:
            continue
        found.append(_row(step["name"], step["iou"], step["absent"] or step["about"]))
        if step["name"] == "random_walk":
            found += [_row(f"  {tile['title']}", tile["iou"], "") for tile in step["tiles"]]
    return found


def _row(name: str, iou: float | None, what: str) -> dict[str, str]:
    return {"step": name, "IoU %": "" if iou is None else text(iou), "what": what}


def page(shown: dict[str, Any], folder: Path) -> str:
    """The page of what lies in `folder`: steps.json, as read, and the drawings that it names."""
    for step in shown["steps"]:
        for tile in step["tiles"]:
            tile["uri"] = pages.data_uri(folder / tile["file"])
    scored = [step for step in shown["steps"] if step["iou"] is not None]
    return pages.render(
        "show.html",
        shown=shown,
        picture=pages.data_uri(folder / "picture.webp"),
        chart=chart(scored) if len(scored) > 1 else "",
    )


def chart(steps: list[dict[str, Any]]) -> str:
    """IoU of each step, with the stops of the walk between them, as SVG."""
    points = []
    for step in steps:
        walk = step["name"] == "random_walk"
        points += [(tile["title"], tile["iou"], True) for tile in step["tiles"]] if walk else []
        points += [] if walk else [(step["name"], step["iou"], False)]
    with charts.style():
        figure = charts.figure(8, 2.6)
        axes = figure.add_subplot()
        axes.plot([value for _, value, _ in points], color=charts.COLOURS[0], linewidth=1.2)
        for place, (_, value, walk) in enumerate(points):
            axes.plot(place, value, "o", markersize=4 if walk else 7, color=charts.COLOURS[0])
            axes.annotate(text(value), (place, value), textcoords="offset points", xytext=(0, 7), ha="center")
        axes.set_xticks(range(len(points)), [name for name, *_ in points], rotation=35, ha="right")
        axes.set_ylim(0, 112)
        axes.set_yticks(range(0, 101, 25))
        axes.set_ylabel("IoU, %")
        return charts.svg(figure)
