"""The ladder, as the stage `report` wrote it: for a terminal, or as a picture."""

from pathlib import Path

from pipeline import tables
from pipeline.project import write_whole
from pipeline.tables import Table, read_csv
from stages.common.door import visible

WORDS = ("rung", "split")  # the other columns are numbers


def read(root: Path) -> Table:
    """The rows of reports/ladder.csv. Raises ValueError if nothing was run yet."""
    rows = read_csv(root / "reports" / "ladder.csv")
    if not rows:
        raise ValueError("reports/ladder.csv is missing: `wsss run` makes it")
    return rows


def draw(root: Path, path: Path) -> None:
    """The ladder as a picture of its own, SVG on white."""
    from pipeline import charts
    from pipeline.report import charts as drawings

    write_whole(path, charts.standalone(drawings.ladder(read(root), {})))
    print(f"{path} is written")


def show(root: Path) -> None:
    """Print reports/ladder.csv as a table, and where the pictures are."""
    rows = read(root)
    tables.show("The ladder, in percent", rows, WORDS)
    galleries = [root / "reports" / row["rung"] / "gallery.png" for row in rows]
    galleries = [gallery for gallery in galleries if gallery.is_file()]
    if galleries:
        print("Pictures, truth, result and errors side by side:")
    for gallery in galleries:
        print(visible(f"  {gallery.relative_to(root)}"))
