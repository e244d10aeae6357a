"""Gather the rungs into the ladder: reports/ladder.csv, ladder.md, metrics.json and per_class.csv.

All numbers are percent with two decimals, as the evaluation wrote them; nothing is computed again.
"""

import csv
from pathlib import Path

from stages.common import door
from stages.common.artifacts import csv_text, read_json, write_atomic, write_json
from stages.evaluation.rungs import REPORTS, SCORES, of_recipe
from stages.report import ladder


def main() -> str:
    names = list(of_recipe())
    for name in names:
        if not (SCORES / name / "metrics.json").is_file():
            raise ValueError(f"rung {name} has no metrics.json: run `dvc repro evaluation@{name}`")
    rungs = {name: read_json(SCORES / name / "metrics.json") for name in names}
    tables = {name: _iou(SCORES / name / "per_class.csv") for name in names}
    rows = ladder.rows(rungs)
    write_atomic(REPORTS / "ladder.csv", csv_text(rows))
    write_atomic(REPORTS / "ladder.md", ladder.markdown(rows, text_columns=2))
    write_atomic(REPORTS / "per_class.csv", csv_text(ladder.per_class(tables)))
    write_json(REPORTS / "metrics.json", ladder.headline(rungs))
    steps = [f"{name} {values['miou']:.2f}" for name, values in rungs.items() if "miou" in values]
    return "report: " + (f"mIoU {', '.join(steps)} %" if steps else "no truth, an empty ladder")


def _iou(file: Path) -> dict[str, str]:
    with file.open(newline="") as lines:
        return {row["class"]: row["iou"] for row in csv.DictReader(lines)}


if __name__ == "__main__":
    door.run("report")
