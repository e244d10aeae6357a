"""The page's curves along the boundary and inside, of a rung whose table was made up."""

from pathlib import Path

import pytest

from pipeline.results import scores
from pipeline.results.report import boundary
from stages.evaluation import tables
from tests.pipeline import made_runs
from tests.pipeline.made_runs import Runs, entry

HEADER = ",".join(tables.BOUNDARY_COLUMNS) + "\n"
TABLE = HEADER + (
    "1,band,20,4,31.00,50.00,40.00\n1,interior,80,4,60.00,70.00,70.00\n"
    "3,band,45,4,40.00,50.00,40.00\n3,interior,55,4,66.00,70.00,70.00\n"
    "20,band,95,4,50.00,50.00,40.00\n20,interior,5,1,99.00,99.00,99.00\n"
    "40,band,100,4,55.00,50.00,40.00\n40,interior,0,0,,,\n"
)


def runs_with(place: Path, texts: dict[str, str]) -> Runs:
    runs = made_runs.make(place)
    lock = {}
    for rung, text in texts.items():
        outs = {f"reports/{rung}/metrics.json": ""}
        if text:
            outs[f"reports/{rung}/boundary.csv"] = runs.store(text.encode())
            runs.write(f"reports/{rung}/boundary.csv", text)
        lock[f"evaluation@{rung}"] = entry({f"data/{rung}": "1"}, None, outs)
    made_runs.lock(runs, lock)
    for rung in texts:
        made_runs.score(runs, rung, miou=55.0, images=3, boundary_miou=40.0, interior_miou=66.0)
    return runs


def test_a_row_and_two_curves_per_rung(tmp_path: Path) -> None:
    runs = runs_with(tmp_path / "project", {"seeds": TABLE, "old": "", "none": HEADER})
    found = boundary.part(scores.workspace(runs.root))
    assert [row["rung"] for row in found["rows"]] == ["seeds"]  # the others have no band
    assert [found["rows"][0][key] for key in ("near", "inside", "pixels")] == ["40.00", "66.00", "45.0"]
    assert found["width"] == 3 and found["chart"].count("<svg") == 1


def test_without_a_table_there_is_no_part(tmp_path: Path) -> None:
    assert boundary.part(scores.workspace(runs_with(tmp_path / "project", {"old": ""}).root)) == {}


def test_the_lines_are_the_tables_numbers() -> None:
    lines = {
        "band": [(1, 31.0, True), (3, 40.0, True), (20, 50.0, True), (40, 55.0, True)],
        "interior": [(1, 60.0, True), (3, 66.0, True), (20, 99.0, False)],  # no pixel lies farther than 40
    }
    names = TABLE.splitlines()[0].split(",")
    rows = [dict(zip(names, line.split(","), strict=True)) for line in TABLE.splitlines()[1:]]
    assert boundary.curves(rows) == lines
    other = {"band": [(1, 9.0, True)], "interior": []}
    near, inside = boundary.draw({"seeds": lines, "labels": other}).axes
    drawn = [{line.get_linestyle(): [] for line in axes.lines} for axes in (near, inside)]
    for found, axes in zip(drawn, (near, inside), strict=True):
        for line in axes.lines:
            found[line.get_linestyle()].append([*map(tuple, zip(*line.get_data(), strict=True))])
    assert [(1, 31), (3, 40), (20, 50), (40, 55)] in drawn[0]["-"] and [(1, 9)] in drawn[0]["-"]
    assert drawn[1]["-"] == [[(1, 60), (3, 66)]]  # one class is left at 20, of four
    assert drawn[1][":"][0] == [(1, 60), (3, 66), (20, 99)]
    assert near.get_ylim() == (0, 100) and near.get_xscale() == "log"
    assert [tick.get_text() for tick in near.get_xticklabels()] == ["1", "3", "20", "40"]


@pytest.mark.parametrize("rungs", [1, 9])
def test_every_rung_has_its_name_at_a_line_of_its_look(rungs: int) -> None:
    lines = {
        f"rung {n}": {"band": [(1, 30.0, True), (3, 40.0, True)], "interior": [(1, 60.0, True)]}
        for n in range(rungs)
    }
    figure = boundary.draw(lines)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(lines)
    looks = {(line.get_color(), line.get_marker()) for line in legend.get_lines()}
    assert len(looks) == rungs
