"""The ladder of the workspace, each rung with who made its numbers: for a terminal, or as a picture."""

import sys
from pathlib import Path

from pipeline.project import tables
from pipeline.project.root import write_whole
from pipeline.results import scores
from pipeline.results.scores import Scores
from stages.common.door import visible

WORDS = ("rung", "split")  # the other columns are numbers


def read(root: Path) -> Scores:
    """The rungs of the workspace. Raises ValueError where none was ever scored."""
    found = scores.workspace(root)
    if not any((root / rung.folder / "metrics.json").is_file() for rung in found.rungs):
        raise ValueError("reports/ has no rung's metrics.json: `wsss run` makes them")
    return found


def draw(root: Path, path: Path) -> None:
    """The ladder as a picture of its own, SVG on white. Raises ValueError where nothing can be drawn."""
    from pipeline.results import charts
    from pipeline.results.report import charts as drawings

    found = read(root)
    if not any("miou" in rung.numbers for rung in found.good):
        raise ValueError(f"there is no number to draw\n{_standings(found)}")
    rows = [rung.row() for rung in found.rungs]
    write_whole(path, charts.standalone(drawings.ladder(rows, {}, merged=found.merged)))
    print(f"{path} is written")
    if len(found.good) < len(found.rungs):
        print(_standings(found))


def paste(root: Path, kind: str) -> None:
    """Print the ladder to be pasted, `csv` or `latex`: with mean and deviation where seeds are known."""
    from pipeline.results.report import paste, seeds

    found = read(root)
    rows = [rung.row() for rung in found.rungs]
    spreads = paste.of_ladder(seeds.like(found), found)
    print(paste.as_csv(rows, spreads) if kind == "csv" else paste.as_latex(rows, WORDS, spreads), end="")
    if len(found.good) < len(found.rungs):
        print(_standings(found), file=sys.stderr)


def show(root: Path) -> None:
    """Print the ladder as a table, who made it, and where the pictures are."""
    found = read(root)
    tables.show("The ladder, in percent", [rung.row() for rung in found.rungs], WORDS)
    print(_standings(found))
    galleries = [root / "reports" / "gallery" / rung.name / "sheet.png" for rung in found.good]
    galleries = [gallery for gallery in galleries if gallery.is_file()]
    if galleries:
        print("Pictures, truth, result and errors side by side:")
    for gallery in galleries:
        print(visible(f"  {gallery.relative_to(root)}"))


def _standings(found: Scores) -> str:
    lines = [f"{rungs}: {standing}" for rungs, standing in found.told()]
    if found.merged:
        lines.append(f"{', '.join(sorted(found.merged))}: of object and ground, whatever the class")
    return "\n".join(lines)
