"""The ladder, as the stage `report` wrote it, for a terminal."""

import csv
from pathlib import Path

from rich.console import Console
from rich.table import Table


def show(root: Path) -> None:
    """Print reports/ladder.csv as a table, and where the pictures are."""
    path = root / "reports" / "ladder.csv"
    if not path.is_file():
        raise ValueError("reports/ladder.csv is missing: `dvc repro` makes it")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    table = Table(title="The ladder, in percent")
    for column in rows[0] if rows else ():
        table.add_column(column.replace("_", " "), justify="left" if column in ("rung", "split") else "right")
    for row in rows:
        table.add_row(*row.values())
    Console().print(table)
    galleries = [path.parent / row["rung"] / "gallery.png" for row in rows]
    galleries = [gallery for gallery in galleries if gallery.is_file()]
    if galleries:
        print("Pictures, truth, result and errors side by side:")
    for gallery in galleries:
        print(f"  {gallery.relative_to(root)}")
