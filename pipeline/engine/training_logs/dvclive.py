"""The plots of dvclive, which `dvc plots show` and the DVC view of VS Code read: a table per number.

dvclive itself opens the repository, asks git, sets the level of DVC's log and looks for an account of DVC
Studio, in the process where the engine uses DVC. Its tables are two columns, so they are written here.
"""

import io
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.engine.training_logs.curves import Curve, plain
from pipeline.project.root import write_whole

TABLES = Path("plots", "metrics")  # as dvclive has them in its folder
ONE = threading.Lock()  # stages that train at the same time share the list of plots


class Writer:
    """plots/metrics/NUMBER.tsv in the curve's folder, and logs/dvc.yaml, which lists those of all curves."""

    def __init__(self, curve: Curve, first: int) -> None:
        self.tables = curve.folder / TABLES
        self.all = curve.folder.parents[2]  # logs/dvclive

    def write(self, epoch: int, numbers: Mapping[str, float]) -> None:
        self.tables.mkdir(parents=True, exist_ok=True)
        for name, number in numbers.items():
            table = self.tables / f"{plain(name)}.tsv"
            rows = table.read_text().splitlines()[1:] if table.exists() else []
            # A run that is killed here has written more than it has noted.
            kept = [row for row in rows if int(row.partition("\t")[0]) < epoch]
            write_whole(table, "\n".join([f"step\t{table.stem}", *kept, f"{epoch}\t{number}", ""]))
        with ONE:
            show(self.all)

    def close(self) -> None:
        """Nothing is open."""


def show(place: Path) -> None:
    """List the tables below `place` in the dvc.yaml beside it: a plot per stage and number, a line per curve.

    DVC looks into no dvc.yaml that git ignores, so this one lies outside the folder that git does.
    """
    plots: dict[str, dict[str, Any]] = {}
    for table in sorted(place.glob(f"*/*/*/{TABLES}/*.tsv"), key=_order):
        plot = plots.setdefault(f"{table.parts[-5]} {table.stem}", {"x": "step", "y": {}})
        plot["y"][table.relative_to(place.parent).as_posix()] = table.stem
    text = io.StringIO()
    YAML().dump({"plots": [{title: plot} for title, plot in plots.items()]}, text)
    listed = place.parent / "dvc.yaml"
    if not listed.exists() or listed.read_text() != text.getvalue():
        write_whole(listed, text.getvalue())


def _order(table: Path) -> tuple[str, str, str, int]:
    """By stage and number, then by run and the training's number."""
    run, stage, training = table.parts[-6:-3]
    return stage, table.stem, run, int(training) if training.isdecimal() else 0
